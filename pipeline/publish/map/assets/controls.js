/* The controls: each changes the state and asks for everything to be drawn again. */

function segment(hostId, name, choices, onChange) {
  const host = byId(hostId);
  host.textContent = "";
  host.dataset.count = String(choices.length);
  for (const choice of choices) {
    const input = el("input");
    input.type = "radio";
    input.name = name;
    input.value = choice.value;
    input.addEventListener("change", () => onChange(choice.value));
    host.append(add(el("label"), input, el("span", "", choice.text)));
  }
}

function startControls() {
  for (const c of CATEGORIES) {
    const option = el("option", "", (c.parent && c.parent !== CATEGORIES[0].id ? "\u2003" : "") + c.label);
    option.value = c.id;
    byId("category").append(option);
  }
  byId("category").addEventListener("change", () => { state.category = byId("category").value; redraw(); announceState(); });
  segment("measure-seg", "measure", SHOWN_MEASURES.map((m) => ({ value: m, text: MEASURES[m].short })), (m) => { state.measure = m; redraw(); announceState(); });
  byId("show-hotspots").addEventListener("change", (event) => { state.hotspots = event.target.checked; redraw(); });
  byId("show-names").addEventListener("change", (event) => { state.names = event.target.checked; for (const v of VIEWS) v.drawNames(); saveHash(); });
  byId("reset").addEventListener("click", reset);
  byId("period").addEventListener("input", () => { stopPlaying(); setPeriod(currentSeries()[Number(byId("period").value)].id); });
  byId("play").addEventListener("click", togglePlaying);
  byId("zoom-in").addEventListener("click", () => VIEWS[0].map.zoomIn());
  byId("zoom-out").addEventListener("click", () => VIEWS[0].map.zoomOut());
  byId("zoom-home").addEventListener("click", () => { state.view = null; goHome(); saveHash(); });
  for (const id of ["open-compare", "sheet-compare", "compare-close"]) byId(id).addEventListener("click", () => { if (id === "sheet-compare") closeSheet(); toggleCompare(); });
  byId("compare-with").addEventListener("change", () => { state.compare = byId("compare-with").value; redraw(); announce("Comparing with " + sideLabel(otherScene())); });
  for (const id of ["theme", "sheet-theme"]) byId(id).addEventListener("click", () => { state.themeChosen = true; setTheme(root.dataset.theme === "dark" ? "light" : "dark"); redraw(); });
  for (const id of ["print", "save-print"]) byId(id).addEventListener("click", () => window.print());
  byId("save-csv").addEventListener("click", saveCsv);
  byId("table-csv").addEventListener("click", saveCsv);
  byId("save-geojson").addEventListener("click", saveGeoJson);
  byId("save-png").addEventListener("click", savePicture);
  byId("save-link").addEventListener("click", copyLink);
  byId("table-filter").addEventListener("input", drawTable);
  byId("table-layer").addEventListener("change", () => { table.layer = byId("table-layer").value; table.sort = "name"; table.direction = 1; drawTable(); });
  byId("inset").addEventListener("click", () => { VIEWS[0].map.fitBounds(centreBounds(), { animate: false }); announce("Zoomed to the centre"); });
  byId("peek").addEventListener("click", () => { const open = byId("sheet").classList.toggle("open"); byId("peek").setAttribute("aria-expanded", String(open)); byId("peek-go").textContent = open ? "Close" : "Details"; });
  startTabs();
  startDrawers();
}

function syncControls() {
  byId("category").value = state.category;
  const check = (name, value) => { const input = document.querySelector('input[name="' + name + '"][value="' + value + '"]'); if (input) input.checked = true; };
  check("measure", state.measure);
  drawLevels();
  check("map", state.mode === "density" ? "density" : state.level);
  for (const input of document.querySelectorAll('input[name="measure"]')) input.disabled = state.mode === "density";
  byId("show-hotspots").checked = state.hotspots;
  byId("show-names").checked = state.names;
  const kinds = state.mode === "density" ? [] : kindsOf(state.level);
  byId("kinds").hidden = kinds.length < 2;
  const words = { y: /^12 months/.test(INFO.headlineLabel) ? "12 months" : "Years", q: "Quarters", m: "Months" };
  if (byId("kind-seg").dataset.kinds !== kinds.join()) {
    segment("kind-seg", "kind", kinds.map((k) => ({ value: k, text: words[k] })), (k) => {
      const series = seriesOf(state.level, k);
      setPeriod((series.find((p) => p.id === INFO.headline) || series[series.length - 1]).id);
    });
    byId("kind-seg").dataset.kinds = kinds.join();
  }
  const p = periodOf(state.level, state.period);
  if (p) check("kind", p.kind);
}

function setLevel(level) {
  stopPlaying();
  const parent = state.area !== null ? parentOf(state.level, state.area) : null;
  const keep = state.level === level ? state.area : parent && parent[0] === level ? parent[1] : null;
  state.level = level;
  state.detailed = isDetailed(level);
  state.mode = "areas";
  state.area = keep;
  if (!periodOf(level, state.period)) state.period = INFO.headline;
  redraw();
}

function setDensity() {
  stopPlaying();
  state.mode = "density";
  state.period = INFO.headline;
  if (!periodOf(state.level, state.period)) state.level = MAPPED[0];
  redraw();
}

function announceState() { announce(byId("heading").textContent + ", " + byId("subtitle").textContent); }

function chooseArea(i, zoom) {
  state.area = i;
  for (const view of VIEWS) if (!view.small) { view.drawPicked(); view.drawNames(); }
  drawLegend();
  drawCard();
  drawTitles();
  drawTable();
  showTab("area");
  if (i !== null && zoom) VIEWS[0].fit(L.latLngBounds(LEVELS[state.level].shapes[i].flat()), 12.5);
  announce(i === null ? "Selection cleared" : LEVELS[state.level].name[i] + ": " + valueText(mainScene(), i));
  saveHash();
}

function closeSheet() {
  if (byId("sheet").classList.contains("open")) byId("peek").click();
}

function reset() {
  stopPlaying();
  const names = ["level", "detailed", "mode", "category", "measure", "period", "area", "hotspot", "hotspots", "names", "compare", "tab", "view"];
  const fresh = startState();
  for (const name of names) state[name] = fresh[name];
  byId("table-filter").value = "";
  redraw();
  showTab("area");
  goHome();
  announce("Everything is back to how it started");
}

/* ---------- tabs and drawers ---------- */

function showTab(name) {
  state.tab = name;
  for (const id of ["area", "hotspots"]) {
    const on = id === name;
    byId("tab-" + id).setAttribute("aria-selected", String(on));
    byId("tab-" + id).tabIndex = on ? 0 : -1;
    byId("pane-" + id).hidden = !on;
  }
}

function startTabs() {
  for (const id of ["area", "hotspots"]) {
    byId("tab-" + id).addEventListener("click", () => { showTab(id); saveHash(); });
    byId("tab-" + id).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
      const other = id === "area" ? "hotspots" : "area";
      showTab(other);
      byId("tab-" + other).focus();
      saveHash();
    });
  }
}

const DRAWERS = ["table", "save", "how"];

function openDrawer(name) {
  for (const id of DRAWERS) {
    const on = id === name && byId("drawer-" + id).hidden;
    byId("drawer-" + id).hidden = !on;
    byId("open-" + id).setAttribute("aria-expanded", String(on));
    if (!on) continue;
    if (id === "table") drawTable();
    if (id === "how" && !byId("guide").firstChild) drawGuide();
    byId("save-subtitle").textContent = byId("heading").textContent + ", " + byId("subtitle").textContent;
    byId(id + "-title").focus();
  }
}

function startDrawers() {
  for (const id of DRAWERS) {
    byId("open-" + id).addEventListener("click", () => openDrawer(id));
    byId("close-" + id).addEventListener("click", () => { openDrawer(null); byId("open-" + id).focus(); });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = DRAWERS.find((id) => !byId("drawer-" + id).hidden);
    if (open) { openDrawer(null); byId("open-" + open).focus(); } else closeSheet();
  });
  byId("table-layer").querySelectorAll("option").forEach((option) => { option.hidden = option.disabled = (option.value === "hotspots" && !HOTSPOTS.length) || (option.value === "density" && !BANDS.length); });
}
