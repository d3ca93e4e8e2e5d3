/* Wiring: controls change the state, `redraw` brings everything in line with it. */

function announce(text) { byId("live").textContent = text; }

/* The options folium's base map was made with, for the further maps of the page. */
function mapOptions() {
  const given = map_hotspots.options;
  const copy = {};
  for (const key of ["zoomControl", "attributionControl", "zoomSnap", "zoomDelta", "wheelPxPerZoomLevel", "minZoom", "maxZoom", "zoomAnimation", "fadeAnimation", "markerZoomAnimation"]) copy[key] = given[key];
  return copy;
}

/* ---------- theme, scale ---------- */

function setTheme(theme) {
  root.dataset.theme = theme;
  byId("theme").setAttribute("aria-label", theme === "dark" ? "Use light colours" : "Use dark colours");
  byId("theme-icon").setAttribute("href", theme === "dark" ? "#i-sun" : "#i-moon");
  readPalette();
}

function drawScale() {
  const { map } = VIEWS[0];
  const y = map.getSize().y / 2;
  const metres = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([100, y]));
  const km = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200].filter((k) => k * 1000 <= metres).pop() || 0.1;
  byId("scale-bar").style.width = ((km * 1000) / metres) * 100 + "px";
  byId("scale-text").textContent = km < 1 ? km * 1000 + " m" : km + " km";
}

/* ---------- everything ---------- */

function redraw({ quiet } = {}) {
  settleLevel();
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
  map_hotspots.fitBounds(EDGE_BOX, { animate: false });
  syncControls();
  drawLegend();
  goHome();
  redraw({ quiet: true });
  refit();
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
  const idle = window.requestIdleCallback || ((run) => setTimeout(run, 300));
  idle(() => VIEWS[0].circlesOf(mainScene()));
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
  state.view = Math.abs(map.getZoom() - zoom) < 0.01 && map.getBounds().contains(EDGE_BOX.getCenter()) ? null : [Number(centre.lat.toFixed(4)), Number(centre.lng.toFixed(4)), map.getZoom()];
  if (root.dataset.ready) saveHash();
}

start();
