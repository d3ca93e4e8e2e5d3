/* Two maps side by side: another period or another category on the right, coloured by the classes of the left. */

let rightMap = null;
let following = false;

function sideLabel(scene) {
  const window = periodOf(scene.level, scene.period);
  if (state.compare && state.compare[0] === "c") return categoryOf(scene.category).label;
  return window ? window.label : scene.period;
}

/* What the right map may show: the other windows of the same kind, then the other categories. */
function compareChoices() {
  const p = periodOf(state.level, state.period);
  const periods = seriesOf(state.level, p ? p.kind : "y").slice().reverse().map((q) => ({ value: "p:" + q.id, label: q.label, group: "Another period" }));
  return periods.concat(CATEGORIES.filter((c) => levelsOf(c.id).includes(state.level)).map((c) => ({ value: "c:" + c.id, label: c.label, group: "Another category" })));
}

function usefulChoice() {
  const choices = compareChoices();
  const periods = choices.filter((c) => c.value[0] === "p");
  const at = periods.findIndex((c) => c.value === "p:" + state.period);
  const other = periods[at + 1] || periods[at - 1];
  return other ? other.value : choices.find((c) => c.value[0] === "c" && c.value !== "c:" + state.category) ? choices.find((c) => c.value[0] === "c" && c.value !== "c:" + state.category).value : null;
}

function fillCompareSelect() {
  const select = byId("compare-with");
  select.textContent = "";
  let group = null;
  for (const choice of compareChoices()) {
    if (choice.value === "p:" + state.period || choice.value === "c:" + state.category) continue;
    if (!group || group.label !== choice.group) { group = el("optgroup"); group.label = choice.group; select.append(group); }
    const option = el("option", "", choice.label);
    option.value = choice.value;
    group.append(option);
  }
  select.value = state.compare;
}

/* A comparison with itself, or with something this level lacks, moves on to the nearest sensible one. */
function settleCompare() {
  if (!state.compare) return;
  if (state.mode === "density") { state.compare = null; return; }
  const same = state.compare === "p:" + state.period || state.compare === "c:" + state.category;
  if (same || !compareChoices().some((c) => c.value === state.compare)) state.compare = usefulChoice();
}

function openRight() {
  if (rightMap) return;
  rightMap = L.map("map2", mapOptions());
  const right = new View(rightMap, { scene: otherScene, onPick: (i) => chooseArea(i) });
  const left = VIEWS[0];
  const follow = (from, to) => () => {
    if (following || !state.compare) return;
    following = true;
    to.setView(from.getCenter(), from.getZoom(), { animate: false });
    following = false;
  };
  left.map.on("move zoom", follow(left.map, rightMap));
  rightMap.setView(left.map.getCenter(), left.map.getZoom(), { animate: false });
  rightMap.on("move zoom", follow(rightMap, left.map));
  byId("map2").setAttribute("aria-label", "Second map, of what is compared with");
  byId("map2").setAttribute("role", "application");
  right.drawn = true;
}

function drawCompare() {
  const on = Boolean(state.compare);
  const changed = byId("mapbox2").hidden === on;
  byId("mapbox2").hidden = !on;
  byId("label-left").hidden = !on;
  byId("stage").classList.toggle("comparing", on);
  byId("open-compare").setAttribute("aria-pressed", String(on));
  if (on) {
    fillCompareSelect();
    byId("label-left").textContent = isolate(sideLabel(mainScene()));
    openRight();
  }
  if (changed) {
    for (const view of VIEWS) view.map.invalidateSize({ animate: false, pan: false });
    goHome();
  }
}

function toggleCompare() {
  stopPlaying();
  state.compare = state.compare ? null : usefulChoice();
  if (state.compare && state.mode === "density") state.mode = "areas";
  redraw();
  announce(state.compare ? "Comparing " + sideLabel(mainScene()) + " with " + sideLabel(otherScene()) : "Comparison closed");
  if (state.compare) byId("compare-with").focus(); else (isPhone() ? byId("peek") : byId("open-compare")).focus();
}
