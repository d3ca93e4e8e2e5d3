/* The sheet of paper: light, whole, and without controls. */

let onScreen = null;
const SHEET = 1024; /* pixels of A4 between its margins, less a few */

function toPaper() {
  if (onScreen) return;
  const view = VIEWS[0];
  onScreen = { theme: root.dataset.theme, centre: view.map.getCenter(), zoom: view.map.getZoom(), snap: view.map.options.zoomSnap };
  stopPlaying();
  setTheme("light");
  root.classList.add("printing");
  for (const v of VIEWS) {
    v.map.options.zoomSnap = 0.01;
    v.map.invalidateSize({ animate: false, pan: false });
  }
  goHome();
  redraw({ quiet: true });
  fillCard(byId("paper-card"), { paper: true });
  byId("paper-hot-title").hidden = !HOTSPOTS.length || !state.hotspots;
  fillHotspots(byId("paper-hotspots"), 4, true);
  if (!state.hotspots) byId("paper-hotspots").textContent = "";
  paperTable();
  const foot = byId("paper-foot");
  foot.textContent = "";
  const support = INFO.support.map(([text, contact]) => text + (contact ? ": " + contact : "")).join("; ");
  for (const text of [[INFO.publisher, INFO.licence].filter(Boolean).join(". "), [INFO.synthetic, INFO.counts, ...INFO.wording, ...INFO.caveats].filter(Boolean).join(" "), support && "Report or get support. " + support]) {
    if (text) foot.append(nameEl("p", "", text));
  }
  fillSheet(foot);
}

/* Sources stand under the shorter column; further hotspots fill what is left beside them. */
function fillColumns(foot) {
  byId("paper").classList.remove("left");
  const tall = (node) => node.getBoundingClientRect().height;
  const rows = byId("paper-hotspots").querySelectorAll("li");
  const card = tall(byId("paper-card").firstChild), spots = tall(byId("paper-hotspots")) + tall(byId("paper-hot-title"));
  const left = rows.length > 0 && card < spots;
  byId("paper").classList.toggle("left", left);
  if (!left) return;
  const more = Math.floor((card + tall(foot) - spots) / tall(rows[0]));
  if (more > 0) fillHotspots(byId("paper-hotspots"), Math.min(12, rows.length + more), true);
}

/* The first sheet is complete: the map takes what the words leave of 273 mm, within reason. */
function fillSheet(foot) {
  fillColumns(foot);
  const used = foot.getBoundingClientRect().bottom - document.querySelector(".app").getBoundingClientRect().top;
  const tall = Math.round(Math.min(560, Math.max(300, 420 + SHEET - used)));
  root.style.setProperty("--paper-map", tall + "px");
  for (const v of VIEWS) v.map.invalidateSize({ animate: false, pan: false });
  goHome();
}

/* The boroughs (or, where there are none, the first areas by name) with the measure on the map. */
function paperTable() {
  const host = byId("paper-table");
  host.textContent = "";
  const scene = mainScene();
  const levelId = MAPPED.includes("borough") ? "borough" : scene.level;
  const known = periodOf(levelId, scene.period) ? scene.period : INFO.headline;
  const level = LEVELS[levelId];
  const own = Object.assign({}, scene, { level: levelId, period: known });
  const measures = ["count", "rate", "change"].filter((m) => SHOWN_MEASURES.includes(m));
  const rows = level.code.map((_, i) => i).sort((a, b) => (level.name[a] < level.name[b] ? -1 : 1)).slice(0, 40);
  const made = el("table"), head = el("tr"), body = el("tbody");
  add(head, el("th", "", capital(level.one)), ...measures.map((m) => el("th", "n", { count: "Recorded", rate: "Per 10,000", change: "Change" }[m])));
  for (const i of rows) {
    const row = el("tr");
    row.append(nameEl("th", "", clip(level.name[i], 60)));
    for (const measure of measures) {
      row.append(el("td", "n", figure(Object.assign({}, own, { measure }), i)));
    }
    body.append(row);
  }
  const part = el("thead");
  add(host, el("h2", "", capital(level.many) + ", " + periodOf(levelId, known).label), add(made, add(part, head), body));
}

function fromPaper() {
  if (!onScreen) return;
  const was = onScreen;
  onScreen = null;
  root.classList.remove("printing");
  root.style.removeProperty("--paper-map");
  setTheme(was.theme);
  for (const v of VIEWS) {
    v.map.options.zoomSnap = was.snap;
    v.map.invalidateSize({ animate: false, pan: false });
  }
  VIEWS[0].map.setView(was.centre, was.zoom, { animate: false });
  redraw({ quiet: true });
}
