// @ts-check
/* What lies around the map: its first view, a second map for comparison, an inset on phones, background tiles, the scale.

   Exports `startStage`, `goHome`, `refit`, `drawInset`, `drawCompare`, `toggleCompare`, `startTiles`, `drawScale`,
   `centreBounds`, and `mapOptions` for further maps. */

import { isolate, say } from "./words.js";
import { EDGE, FRAMED, INFO, LEVELS, MAPPED, UNIT } from "./data.js";
import { act, compareChoices, mainScene, otherScene, sideLabel, state, tiles, usefulChoice } from "./model.js";
import { announce, byId, drawCredit, el, inputById, isPhone, palette, root, selectById } from "./page.js";
import { VIEWS, View, frameBox, labelsOf } from "./view.js";

/** @import { Hotspot } from "./data.js" */

/** Options of the base map that further maps of the page share.
 * @returns {L.MapOptions} */
function mapOptions() {
  const given = VIEWS[0].map.options;
  return {
    zoomControl: given.zoomControl, attributionControl: given.attributionControl, zoomSnap: given.zoomSnap, zoomDelta: given.zoomDelta,
    wheelPxPerZoomLevel: given.wheelPxPerZoomLevel, minZoom: given.minZoom, maxZoom: given.maxZoom, zoomAnimation: given.zoomAnimation,
    fadeAnimation: given.fadeAnimation, markerZoomAnimation: given.markerZoomAnimation,
  };
}

export function drawScale() {
  const { map } = VIEWS[0];
  const y = map.getSize().y / 2;
  const metres = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([100, y]));
  const km = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200].filter((k) => k * 1000 <= metres).pop() || 0.1;
  byId("scale-bar").style.width = ((km * 1000) / metres) * 100 + "px";
  byId("scale-text").textContent = km < 1 ? say("map.stage.metres", { metres: km * 1000 }) : say("map.stage.kilometres", { km });
}

/** Fit a map into its element again, where that has changed. @param {L.Map} map */
export function resizeMap(map) { map.invalidateSize({ animate: false, pan: false }); }

/* ---------- the first view: everything, as large as it goes without lying under the legend or the controls ---------- */

/** A few hundred points of the outline, in pixels of zoom 0. @type {L.Point[] | null} */
let outlinePoints = null;

/** @param {L.Map} map @returns {L.Point[]} */
function outlineAtZero(map) {
  if (!outlinePoints) {
    const all = FRAMED.flat();
    const every = Math.max(1, Math.floor(all.length / 400));
    outlinePoints = all.filter((_, k) => k % every === 0).map((p) => map.project(p, 0));
  }
  return outlinePoints;
}

/** @typedef {[number, number, number, number]} Box left, top, right, bottom */

/** Boxes the outline must not lie under, in pixels of the map. @returns {Box[]} */
function coveredBoxes() {
  const frame = byId("mapbox").getBoundingClientRect();
  /** @type {NodeListOf<HTMLElement>} */
  const covers = document.querySelectorAll("#legend, .zoom, .find, .tools, #label-left");
  return [...covers].filter((node) => node.offsetWidth > 0).map((node) => {
    const r = node.getBoundingClientRect();
    return [r.left - frame.left - 6, r.top - frame.top - 6, r.right - frame.left + 6, r.bottom - frame.top + 6];
  });
}

/** Where to put the outline at a zoom: the most central place that is clear, or null.
 * @param {L.Point[]} points @param {Box[]} boxes @param {number} scale @param {L.Point} size @param {number} margin
 * @returns {[number, number] | null} */
export function clearPlace(points, boxes, scale, size, margin) {
  const xs = points.map((p) => p.x * scale), ys = points.map((p) => p.y * scale);
  const left = xs.reduce((a, b) => Math.min(a, b)), right = xs.reduce((a, b) => Math.max(a, b));
  const top = ys.reduce((a, b) => Math.min(a, b)), bottom = ys.reduce((a, b) => Math.max(a, b));
  const roomX = size.x - (right - left) - 2 * margin, roomY = size.y - (bottom - top) - 2 * margin;
  if (roomX < 0 || roomY < 0) return null;
  const places = [];
  for (let a = 0; a <= 10; a++) for (let b = 0; b <= 10; b++) places.push([a / 10, b / 10]);
  places.sort((p, q) => Math.hypot(p[0] - 0.5, p[1] - 0.5) - Math.hypot(q[0] - 0.5, q[1] - 0.5));
  for (const [a, b] of places) {
    const dx = margin + roomX * a - left, dy = margin + roomY * b - top;
    const hit = xs.some((x, k) => boxes.some(([l, t, r, u]) => x + dx > l && x + dx < r && ys[k] + dy > t && ys[k] + dy < u));
    if (!hit) return [dx, dy];
  }
  return null;
}

export function goHome() {
  const view = VIEWS[0];
  const { map } = view;
  const printing = root().classList.contains("printing"), phone = isPhone() && !printing;
  if (printing || phone) fitOutline(map, phone ? [6, 62, 6, state.compare ? 10 : 18] : [4, 4, 4, 4]);
  else if (!fitClear(map)) fitOutline(map, [16, 12, 12, 12]);
  if (phone && !state.compare) liftOutline(map);
  view.homeZoom = map.getZoom();
  if (view.settled && state.measure === "count") act.redraw({ quiet: true });
  fittedBoxes = phone ? "" : JSON.stringify(coveredBoxes());
  if (view.settled) drawInset();
  drawScale();
}

let fittedBoxes = "";

/** Fit again only if the legend has grown or shrunk since. */
export function refit() { if (JSON.stringify(coveredBoxes()) !== fittedBoxes) goHome(); }

/** @param {L.Map} map @param {number[]} room left, top, right and bottom of it, in pixels */
function fitOutline(map, [left, top, right, bottom]) {
  const snap = map.options.zoomSnap;
  map.options.zoomSnap = 0;
  map.fitBounds(frameBox(), { paddingTopLeft: [left, top], paddingBottomRight: [right, bottom], animate: false });
  map.options.zoomSnap = snap;
}

/** @param {L.Map} map @param {number} margin @returns {number} */
function largestZoom(map, margin) {
  const snap = map.options.zoomSnap;
  map.options.zoomSnap = 0;
  const zoom = map.getBoundsZoom(frameBox(), false, L.point(margin, margin));
  map.options.zoomSnap = snap;
  return zoom;
}

/** Try ever smaller zooms until some place is clear; give up where the outline would be under two thirds.
 * @param {L.Map} map @returns {boolean} */
function fitClear(map) {
  const points = outlineAtZero(map), boxes = coveredBoxes(), size = map.getSize(), full = largestZoom(map, 20);
  for (let zoom = full; zoom > full - 0.6; zoom -= 0.03) {
    const scale = Math.pow(2, zoom);
    const place = clearPlace(points, boxes, scale, size, 10);
    if (!place) continue;
    const middle = L.point(size.x / 2 - place[0], size.y / 2 - place[1]);
    const snap = map.options.zoomSnap;
    map.options.zoomSnap = 0;
    map.setView(map.unproject(middle.divideBy(scale), 0), zoom, { animate: false });
    map.options.zoomSnap = snap;
    return true;
  }
  return false;
}

/** On a phone spare height goes under the map, where the inset stands. @param {L.Map} map */
function liftOutline(map) {
  const top = map.latLngToContainerPoint(frameBox().getNorthWest()).y;
  if (top > 66) map.panBy([0, top - 62], { animate: false });
}

/* ---------- two maps side by side: another period or category, coloured by the classes of the left ---------- */

/** @type {L.Map | null} */
let rightMap = null;
let following = false;

function fillCompareSelect() {
  const select = selectById("compare-with");
  select.textContent = "";
  /** @type {HTMLOptGroupElement | null} */
  let group = null;
  for (const choice of compareChoices()) {
    if (choice.value === "p:" + state.period || choice.value === "c:" + state.category) continue;
    if (!group || group.label !== choice.group) { group = el("optgroup"); group.label = choice.group; select.append(group); }
    const option = el("option", "", choice.label);
    option.value = choice.value;
    group.append(option);
  }
  select.value = state.compare || "";
}

function openRight() {
  if (rightMap) return;
  rightMap = L.map("map2", mapOptions());
  const left = VIEWS[0], right = new View(rightMap, { scene: otherScene, onPick: (i) => act.chooseArea(i) });
  const follow = (/** @type {L.Map} */ from, /** @type {L.Map} */ to) => () => {
    if (following || !state.compare) return;
    following = true;
    to.setView(from.getCenter(), from.getZoom(), { animate: false });
    following = false;
  };
  left.map.on("move zoom", follow(left.map, right.map));
  right.map.setView(left.map.getCenter(), left.map.getZoom(), { animate: false });
  right.map.on("move zoom", follow(right.map, left.map));
  byId("map2").setAttribute("aria-label", say("map.compare.second_map"));
  byId("map2").setAttribute("role", "application");
}

export function drawCompare() {
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
    for (const view of VIEWS) resizeMap(view.map);
    goHome();
  }
}

export function toggleCompare() {
  act.stopPlaying();
  state.compare = state.compare ? null : usefulChoice();
  if (state.compare && state.mode === "density") state.mode = "areas";
  act.redraw();
  announce(state.compare ? say("map.compare.comparing", { left: sideLabel(mainScene()), right: sideLabel(otherScene()) }) : say("map.compare.closed"));
  if (state.compare) byId("compare-with").focus(); else (isPhone() ? byId("peek") : byId("open-compare")).focus();
}

/* ---------- on a phone the centre is crowded: a small second map shows it larger, and takes its badges ---------- */

/** @type {View | null} */
let inset = null;

/** The middle half of the areas by place: where areas are small, the middle is dense. @returns {L.LatLngBounds} */
export function centreBounds() {
  const labels = labelsOf(LEVELS[MAPPED[0]]);
  const xs = labels.map((l) => l[0]).sort((a, b) => a - b), ys = labels.map((l) => l[1]).sort((a, b) => a - b);
  const at = (/** @type {number[]} */ list, /** @type {number} */ q) => list[Math.min(list.length - 1, Math.floor(q * list.length))];
  const middle = [at(ys, 0.5) / UNIT, at(xs, 0.5) / UNIT];
  const box = frameBox();
  const half = [(box.getNorth() - box.getSouth()) * 0.13, (box.getEast() - box.getWest()) * 0.13];
  return L.latLngBounds([middle[0] - half[0], middle[1] - half[1]], [middle[0] + half[0], middle[1] + half[1]]);
}

function insetWanted() {
  if (!isPhone() || state.compare || root().classList.contains("printing") || LEVELS[MAPPED[0]].code.length < 100) return false;
  const view = VIEWS[0];
  return view.map.getZoom() <= (view.homeZoom || 0) + 0.3 && byId("mapbox").offsetHeight > 330;
}

/** As large as fits beside the outline. @param {HTMLElement} box @param {View} view */
function sizeInset(box, view) {
  for (const wide of [178, 160, 142, 124, 110]) {
    box.style.width = wide + "px";
    box.style.height = Math.round(wide * 0.83) + "px";
    const a = box.getBoundingClientRect(), frame = byId("mapbox").getBoundingClientRect();
    const touches = EDGE.some((points) => points.some((p) => {
      const q = view.map.latLngToContainerPoint(p);
      return q.x + frame.left < a.right + 4 && q.y + frame.top > a.top - 4;
    }));
    if (!touches) return;
  }
}

export function drawInset() {
  const wanted = insetWanted();
  const box = byId("inset");
  const was = !box.hidden;
  box.hidden = !wanted;
  const main = VIEWS[0];
  if (!wanted && !was && !main.hides) return;
  if (wanted && !inset) {
    const map = L.map("inset-map", {
      ...mapOptions(), dragging: false, touchZoom: false, doubleClickZoom: false, scrollWheelZoom: false, boxZoom: false, keyboard: false, zoomSnap: 0.05,
    });
    map.fitBounds(centreBounds(), { animate: false });
    inset = new View(map, { scene: mainScene, onPick: () => {}, small: true });
  }
  const bounds = centreBounds(), inner = bounds.pad(-0.08);
  main.hides = wanted ? (/** @type {Hotspot} */ spot) => inner.contains(spot.point) : null;
  if (inset) inset.hides = (/** @type {Hotspot} */ spot) => !inner.contains(spot.point);
  if (wanted && inset) {
    sizeInset(box, main);
    resizeMap(inset.map);
    inset.map.fitBounds(bounds, { animate: false });
    inset.draw();
  }
  main.groups.frame.clearLayers();
  if (wanted) L.rectangle(bounds, { ...main.in("picked"), fill: false, color: palette.ink, weight: 1.2, interactive: false }).addTo(main.groups.frame);
  if (was !== wanted) { main.drawSpots(); main.drawNames(); }
}

/* ---------- background tiles, only where configured: a key that is missing from their address is asked of the reader,
   and kept in memory alone: not in the page, its address or the browser's store ---------- */

/** @type {L.TileLayer | null} */
let tilesLayer = null;

/** @param {boolean} shown */
function setTiles(shown) {
  tiles.shown = shown;
  drawCredit();
  act.redraw({ quiet: true });
}

/** @param {string} key */
function showTiles(key) {
  if (tilesLayer) tilesLayer.remove();
  tiles.failed = false;
  /** @type {Record<string, string>} */
  const names = { TileMatrix: "z", TileCol: "x", TileRow: "y" };
  const address = INFO.tiles.replace(/\{(TileMatrix|TileCol|TileRow)\}/g, (_, name) => "{" + names[name] + "}");
  // Leaflet puts any option into the address; its types know those of their own only.
  /** @type {L.TileLayerOptions & {key: string}} */
  const options = { attribution: "", referrerPolicy: "no-referrer", zIndex: 1, key: encodeURIComponent(key) };
  const layer = L.tileLayer(address, options);
  tilesLayer = layer;
  layer.on("tileerror", () => {
    if (tiles.failed || tilesLayer !== layer) return;
    tiles.failed = true;
    layer.remove();
    setTiles(false);
    announce(byId("notice-text").textContent || "");
  });
  layer.addTo(VIEWS[0].map);
  setTiles(true);
}

export function startTiles() {
  if (!INFO.tiles) return;
  if (!tiles.ask) { showTiles(""); return; }
  byId("tiles").hidden = false;
  const field = inputById("tiles-key");
  const go = () => {
    const key = field.value.trim();
    field.value = "";
    if (!key) { announce(say("map.tiles.type_key")); field.focus(); return; }
    showTiles(key);
    announce(say("map.tiles.asked"));
  };
  byId("tiles-show").addEventListener("click", go);
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
}
