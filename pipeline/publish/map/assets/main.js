// @ts-check
/* Starts the page: reads the payload, opens the map and wires the window to it. The one module that does something
   when it is read; the others only define. Exports nothing. */

import { say, useWords } from "./words.js";
import { INFO, LEVELS, isInside, takeIn, unpacked } from "./data.js";
import { begin, mainScene, state, takeAddress } from "./model.js";
import { announce, byId, root, saveAddress, setTheme } from "./page.js";
import { VIEWS, View, frameBox } from "./view.js";
import { drawInset, goHome, refit, resizeMap, startTiles } from "./stage.js";
import { drawLegend, drawStatics } from "./legend.js";
import { drawAttention } from "./attention.js";
import { fromPaper, isPrinting, toPaper } from "./picture.js";
import { chooseArea, redraw, showTab, startControls, syncControls } from "./controls.js";

try {
  const payload = await unpacked(byId("data").textContent || "");
  takeIn(payload);
  useWords(payload.words, payload.info.language, payload.info.base);
  begin();
  start(map_hotspots);
} catch (error) {
  // A notice, never a blank page. Its words stand in the page: the catalogue is in the data that could not be read.
  byId("app").hidden = true;
  byId("DecompressionStream" in window ? "damaged" : "old-browser").hidden = false;
  throw error;
}

/** @param {L.Map} map the base map that folium made */
function start(map) {
  const box = map.getContainer();
  box.setAttribute("role", "application");
  box.setAttribute("aria-roledescription", say("map.stage.kind"));
  box.setAttribute("aria-label", say("map.stage.label", { region: INFO.region || say("map.region.all_areas_inside") }));
  setTheme(window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const view = new View(map, { scene: mainScene, onPick: (i) => chooseArea(i) });
  startControls();
  takeWindowAddress();
  drawStatics();
  drawAttention();
  resizeMap(map);
  map.fitBounds(frameBox(), { animate: false });
  syncControls();
  drawLegend();
  goHome();
  redraw({ quiet: true });
  refit();
  showStateView(map);
  showTab(state.tab);
  startTiles();
  startKeyboard(view);
  map.on("moveend", rememberView);
  map.on("zoomend", drawInset);
  // What lies at the lower edge of the map stands above the credit, however many lines that takes.
  new ResizeObserver(() => root().style.setProperty("--credit", byId("credit").offsetHeight + "px")).observe(byId("credit"));
  window.addEventListener("beforeprint", toPaper);
  window.addEventListener("afterprint", fromPaper);
  window.addEventListener("hashchange", () => {
    takeWindowAddress();
    redraw({ quiet: true });
    showTab(state.tab);
    if (!showStateView(map)) goHome();
  });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let settling;
  window.addEventListener("resize", () => { clearTimeout(settling); settling = setTimeout(resized, 120); });
  root().dataset.ready = "1";
  const idle = window.requestIdleCallback || ((/** @type {() => void} */ run) => setTimeout(run, 300));
  idle(() => view.circlesOf(mainScene()));
}

function takeWindowAddress() {
  takeAddress(location.hash.slice(1));
  if (state.theme) setTheme(state.theme);
}

/** @param {L.Map} map @returns {boolean} whether the state holds a view of its own */
function showStateView(map) {
  if (state.view) map.setView([state.view[0], state.view[1]], state.view[2], { animate: false });
  return state.view !== null;
}

/** Enter on the map chooses the area under the cross in its middle. @param {View} view */
function startKeyboard(view) {
  const box = view.map.getContainer();
  // Leaflet gives the map the focus when it is clicked, and browsers take that for the keyboard's: the cross is for keys only.
  box.addEventListener("pointerdown", () => box.classList.add("pointed"), { capture: true });
  box.addEventListener("blur", () => box.classList.remove("pointed"));
  box.addEventListener("keydown", (event) => {
    box.classList.remove("pointed");
    if (event.key !== "Enter") return;
    const { lat, lng } = view.map.getCenter();
    const i = LEVELS[state.level].shapes.findIndex((rings) => rings.filter((ring) => isInside([lng, lat], ring.map(([y, x]) => [x, y]))).length % 2 === 1);
    if (i >= 0) chooseArea(i); else announce(say("map.controls.no_area_in_middle"));
  });
}

function resized() {
  if (isPrinting()) return;
  for (const view of VIEWS) resizeMap(view.map);
  if (!state.view) goHome();
  redraw({ quiet: true });
}

/** Where the reader went, kept in the address; nothing is kept while the whole is in view. */
function rememberView() {
  if (isPrinting()) return;
  const { map, homeZoom: zoom } = VIEWS[0];
  const centre = map.getCenter();
  const home = zoom !== undefined && Math.abs(map.getZoom() - zoom) < 0.01 && map.getBounds().contains(frameBox().getCenter());
  state.view = home ? null : [Number(centre.lat.toFixed(4)), Number(centre.lng.toFixed(4)), map.getZoom()];
  if (root().dataset.ready) saveAddress();
}
