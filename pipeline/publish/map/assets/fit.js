/* The first view: everything, as large as it goes without lying under the legend or the controls. */

/* A few hundred points of the outline, in pixels of zoom 0. */
let outlinePoints = null;
function outlineAtZero(map) {
  if (!outlinePoints) {
    const all = EDGE.flat();
    const every = Math.max(1, Math.floor(all.length / 400));
    outlinePoints = all.filter((_, k) => k % every === 0).map((p) => map.project(p, 0));
  }
  return outlinePoints;
}

/* Boxes the outline must not lie under, in pixels of the map. */
function coveredBoxes() {
  const frame = byId("mapbox").getBoundingClientRect();
  const covers = [byId("legend"), byId("zoom-in").parentElement, document.querySelector(".find"), document.querySelector(".tools"), byId("label-left")];
  return covers.filter((node) => node.offsetWidth > 0).map((node) => {
    const r = node.getBoundingClientRect();
    return [r.left - frame.left - 6, r.top - frame.top - 6, r.right - frame.left + 6, r.bottom - frame.top + 6];
  });
}

/* Where to put the outline at a zoom: the most central place that is clear, or null. */
function clearPlace(points, boxes, scale, size, margin) {
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

function goHome() {
  const view = VIEWS[0];
  const { map } = view;
  const phone = isPhone() && !root.classList.contains("printing");
  if (root.classList.contains("printing") || phone) fitOutline(map, phone ? [6, 62, 6, state.compare ? 10 : 18] : [4, 4, 4, 4]);
  else if (!fitClear(map)) fitOutline(map, [16, 12, 12, 12]);
  if (phone && !state.compare) liftOutline(map);
  view.homeZoom = map.getZoom();
  if (view.settled && state.measure === "count") redraw({ quiet: true });
  fittedBoxes = phone ? "" : JSON.stringify(coveredBoxes());
  if (view.settled) drawInset();
  drawScale();
}

/* Fit again only if the legend has grown or shrunk since. */
let fittedBoxes = "";
function refit() { if (JSON.stringify(coveredBoxes()) !== fittedBoxes) goHome(); }

function fitOutline(map, [left, top, right, bottom]) {
  const snap = map.options.zoomSnap;
  map.options.zoomSnap = 0;
  map.fitBounds(EDGE_BOX, { paddingTopLeft: [left, top], paddingBottomRight: [right, bottom], animate: false });
  map.options.zoomSnap = snap;
}

function largestZoom(map, margin) {
  const snap = map.options.zoomSnap;
  map.options.zoomSnap = 0;
  const zoom = map.getBoundsZoom(EDGE_BOX, false, L.point(margin, margin));
  map.options.zoomSnap = snap;
  return zoom;
}

/* Try ever smaller zooms until some place is clear; give up where the outline would be under two thirds. */
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

/* On a phone spare height goes under the map, where the inset stands. */
function liftOutline(map) {
  const top = map.latLngToContainerPoint(EDGE_BOX.getNorthWest()).y;
  if (top > 66) map.panBy([0, top - 62], { animate: false });
}
