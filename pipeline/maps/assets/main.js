/* Wiring: controls change the state, `redraw` brings everything in line with it. */

function announce(text) { byId("live").textContent = text; }

/* The options folium's base map was made with, for the further maps of the page. */
function mapOptions() {
  const given = map_hotspots.options;
  const copy = {};
  for (const key of ["zoomControl", "attributionControl", "zoomSnap", "zoomDelta", "wheelPxPerZoomLevel", "minZoom", "maxZoom", "zoomAnimation", "fadeAnimation", "markerZoomAnimation"]) copy[key] = given[key];
  return copy;
}

/* ---------- titles and notices ---------- */

function drawTitles() {
  const scene = mainScene();
  const window = periodOf(scene.level, scene.period);
  const heading = headingOf(scene);
  byId("heading").textContent = isolate(heading);
  byId("subtitle").textContent = capital(window ? window.label : "") + (scene.mode === "density" ? "" : ", by " + levelWord(scene.level));
  document.title = heading + ", " + (INFO.region || INFO.place) + ", " + (window ? window.label : "");
  const i = state.area;
  byId("peek-name").textContent = i === null ? INFO.region || "All areas" : LEVELS[scene.level].name[i];
  byId("peek-name").dir = "auto";
  const total = regional(scene.period, scene.category, "n");
  byId("peek-value").textContent = i === null ? (total === null ? "" : counted(total)) : valueText(scene, i);
  byId("peek-say").textContent = i === null ? "Tap an area to see its figures." : sentence(scene, i).textContent;
}

function drawStatics() {
  byId("place").textContent = isolate(INFO.place);
  byId("synthetic").hidden = !INFO.synthetic;
  byId("marking").hidden = !INFO.marking;
  byId("marking").textContent = isolate(INFO.marking);
  byId("banner").hidden = !INFO.audit;
  byId("banner").textContent = INFO.audit;
  const year = MAPPED.map((id) => LEVELS[id].year).find(Boolean);
  byId("source").textContent = [isolate(INFO.publisher), year && SHOWN_MEASURES.includes("rate") ? "Population of " + year : ""].filter(Boolean).join(". ").replace(/\.\. /g, ". ");
  byId("hotspot-count").textContent = HOTSPOTS.length ? String(HOTSPOTS.length) : "";
  byId("check-hot").hidden = !HOTSPOTS.length;
  byId("credit").hidden = !INFO.credit;
  byId("credit").textContent = INFO.credit;
  drawCare();
  drawGuide();
}

function noticeFor() {
  const scene = mainScene();
  const level = LEVELS[scene.level];
  if (tilesFailed) return { text: "The background map could not be loaded. Everything else works without it." };
  if (scene.mode === "density" && !bandsOf(scene.category).length) {
    const first = DENSITY_CATEGORIES[0];
    return { text: "There is no density surface for " + categoryOf(scene.category).label + ".", action: "Show " + categoryOf(first).label, run: () => { state.category = first; redraw(); } };
  }
  if (scene.mode === "density") return null;
  const rows = level.code.map((_, i) => valueOf(scene, i).state);
  const missing = rows.filter((s) => s === "withheld" || s === "few").length;
  if (!rows.includes("ok")) {
    const with_ = level.periods.slice().reverse().find((p) => hasMeasure(Object.assign({}, scene, { period: p.id })) && p.id !== scene.period);
    const what = { change: "Change", significance: "Clusters", outcomes: "Outcomes", rate: "Rates", count: "Numbers" }[scene.measure];
    if (with_ && !hasMeasure(scene)) return { text: what + (scene.measure === "rate" || scene.measure === "count" ? " are missing for this period." : " are not given for this period."), action: "Show the " + with_.label, run: () => setPeriod(with_.id) };
    const all = rows.every((s) => s === "withheld" || s === "nocover");
    return { text: all ? "Every number on this map is withheld to protect people." : "There is nothing to show for this choice." };
  }
  if (missing / rows.length > 0.4 && scene.level === "ward" && MAPPED.includes("borough")) {
    return { text: whole(missing) + " of " + whole(rows.length) + " " + level.many + " have too few " + INFO.noun + " to show. " + capital(LEVELS.borough.many) + " give a fuller picture.", action: "Show " + LEVELS.borough.many, run: () => setLevel("borough") };
  }
  return null;
}

function drawNotice() {
  const notice = noticeFor();
  byId("notice").hidden = !notice;
  if (!notice) return;
  byId("notice-text").textContent = isolate(notice.text);
  byId("notice-action").hidden = !notice.action;
  byId("notice-action").textContent = notice.action || "";
  byId("notice-action").onclick = notice.run || null;
}

/* ---------- controls ---------- */

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
  const maps = MAPPED.map((id) => ({ value: id, text: capital(clip(LEVELS[id].many, 14)) }));
  if (BANDS.length) maps.push({ value: "density", text: "Density" });
  segment("map-seg", "map", maps, (value) => { if (value === "density") setDensity(); else { state.mode = "areas"; setLevel(value); } announceState(); });
  byId("maps").hidden = maps.length < 2;
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
  const names = ["level", "mode", "category", "measure", "period", "area", "hotspot", "hotspots", "names", "compare", "tab", "view"];
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

/* ---------- theme, fit, scale ---------- */

function setTheme(theme) {
  root.dataset.theme = theme;
  byId("theme").setAttribute("aria-label", theme === "dark" ? "Use light colours" : "Use dark colours");
  byId("theme-icon").setAttribute("href", theme === "dark" ? "#i-sun" : "#i-moon");
  readPalette();
}

/* Show everything, as large as possible, with the legend beside the outline and not on it. */
function goHome() {
  const view = VIEWS[0];
  const box = L.latLngBounds(EDGE.flat());
  const fit = (left, bottom) => {
    const [top, right] = root.classList.contains("printing") ? [4, 4] : isPhone() ? [62, 6] : [12, 12];
    const snap = view.map.options.zoomSnap;
    view.map.options.zoomSnap = 0;
    view.map.fitBounds(box, { paddingTopLeft: [left, top], paddingBottomRight: [right, bottom], animate: false });
    view.map.options.zoomSnap = snap;
  };
  if (root.classList.contains("printing")) fit(4, 4);
  else if (isPhone()) { fit(6, state.compare ? 10 : 18); liftOnPhone(view); }
  else {
    const tries = [[16, 12], [34, 12], [48, 12], [60, 12], [75, 12], [90, 12], [105, 12], [120, 12], [60, 60], [150, 12], [60, 110], [16, byId("legend").offsetHeight + 20], [200, 30]];
    const best = tries.find(([left, bottom]) => { fit(left, bottom); return !legendTouches(view); });
    if (!best) fit(16, 12);
  }
  view.homeZoom = view.map.getZoom();
  if (state.measure === "count") redraw({ quiet: true });
  drawInset();
  drawScale();
}

/* On a phone spare height goes under the map, where the inset stands. */
function liftOnPhone(view) {
  const box = L.latLngBounds(EDGE.flat());
  const top = view.map.latLngToContainerPoint(box.getNorthWest()).y;
  if (!state.compare && top > 66) view.map.panBy([0, top - 62], { animate: false });
}

function legendTouches(view) {
  const frame = byId("mapbox").getBoundingClientRect(), legend = byId("legend").getBoundingClientRect();
  const zoom = byId("zoom-in").parentElement.getBoundingClientRect();
  const boxes = [legend, zoom].map((r) => [r.left - frame.left - 6, r.top - frame.top - 6, r.right - frame.left + 6, r.bottom - frame.top + 6]);
  return EDGE.some((points) => points.some((p) => {
    const q = view.map.latLngToContainerPoint(p);
    return boxes.some(([l, t, r, b]) => q.x > l && q.x < r && q.y > t && q.y < b);
  }));
}

function drawScale() {
  const { map } = VIEWS[0];
  const y = map.getSize().y / 2;
  const metres = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([100, y]));
  const km = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200].filter((k) => k * 1000 <= metres).pop() || 0.1;
  byId("scale-bar").style.width = ((km * 1000) / metres) * 100 + "px";
  byId("scale-text").textContent = km < 1 ? km * 1000 + " m" : km + " km";
}

/* ---------- tiles, only where configured ---------- */

let tilesFailed = false;

function startTiles() {
  if (!INFO.tiles) return;
  const names = { TileMatrix: "z", TileCol: "x", TileRow: "y" };
  const address = INFO.tiles.replace(/\{(TileMatrix|TileCol|TileRow)\}/g, (_, name) => "{" + names[name] + "}");
  const layer = L.tileLayer(address, { attribution: "", referrerPolicy: "no-referrer", zIndex: 1 });
  layer.on("tileerror", () => { if (!tilesFailed) { tilesFailed = true; drawNotice(); announce(byId("notice-text").textContent); layer.remove(); } });
  layer.addTo(VIEWS[0].map);
}

/* ---------- everything ---------- */

function redraw({ quiet } = {}) {
  settleCompare();
  syncControls();
  drawCompare();
  for (const view of VIEWS) if (!view.small && (view === VIEWS[0] || state.compare)) view.draw();
  drawInset();
  drawTitles();
  drawNotice();
  drawLegend();
  drawCard();
  drawHotspotList();
  drawTime();
  drawTable();
  if (!quiet) saveHash();
}

/* Enter on the map chooses the area under the cross in its middle. */
function startKeyboard(view) {
  view.map.getContainer().addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const middle = view.map.getCenter();
    const point = [middle.lat, middle.lng];
    const inside = (points) => points.reduce((odd, [y1, x1], k) => { const [y2, x2] = points[(k + 1) % points.length]; return (y1 > point[0]) !== (y2 > point[0]) && point[1] < ((x2 - x1) * (point[0] - y1)) / (y2 - y1) + x1 ? !odd : odd; }, false);
    const i = LEVELS[state.level].shapes.findIndex((rings) => rings.filter(inside).length % 2 === 1);
    if (i >= 0) chooseArea(i); else announce("No area in the middle of the map");
  });
}

function start() {
  const box = map_hotspots.getContainer();
  box.setAttribute("role", "application");
  box.setAttribute("aria-roledescription", "map");
  box.setAttribute("aria-label", "Map of " + (INFO.region || "all areas") + ". Arrow keys move it, plus and minus zoom, Enter chooses the area in the middle.");
  setTheme(window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  new View(map_hotspots, { scene: mainScene, onPick: (i) => chooseArea(i) });
  VIEWS[0].groups.frame = L.layerGroup().addTo(map_hotspots);
  startControls();
  applyHash();
  drawStatics();
  startSearch();
  map_hotspots.invalidateSize({ animate: false, pan: false });
  map_hotspots.fitBounds(L.latLngBounds(EDGE.flat()), { animate: false });
  syncControls();
  drawLegend();
  goHome();
  redraw({ quiet: true });
  goHome();
  if (state.view) map_hotspots.setView([state.view[0], state.view[1]], state.view[2], { animate: false });
  showTab(state.tab);
  startTiles();
  startKeyboard(VIEWS[0]);
  map_hotspots.on("moveend", rememberView);
  map_hotspots.on("zoomend", drawInset);
  window.addEventListener("beforeprint", toPaper);
  window.addEventListener("afterprint", fromPaper);
  window.addEventListener("hashchange", () => { applyHash(); redraw({ quiet: true }); showTab(state.tab); if (state.view) map_hotspots.setView([state.view[0], state.view[1]], state.view[2], { animate: false }); else goHome(); });
  let settling = null;
  window.addEventListener("resize", () => { clearTimeout(settling); settling = setTimeout(resized, 120); });
  root.dataset.ready = "1";
}

function resized() {
  if (onScreen) return;
  for (const view of VIEWS) view.map.invalidateSize({ animate: false, pan: false });
  if (!state.view) goHome();
  redraw({ quiet: true });
}

/* Where the reader went, kept in the address; nothing is kept while the whole is in view. */
function rememberView() {
  if (onScreen) return;
  const { map, homeZoom: zoom } = VIEWS[0];
  const centre = map.getCenter();
  state.view = Math.abs(map.getZoom() - zoom) < 0.01 && map.getBounds().contains(L.latLngBounds(EDGE.flat()).getCenter()) ? null : [Number(centre.lat.toFixed(4)), Number(centre.lng.toFixed(4)), map.getZoom()];
  if (root.dataset.ready) saveHash();
}

start();
