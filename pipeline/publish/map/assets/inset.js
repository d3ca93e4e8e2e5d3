/* On a phone the centre is crowded: a small second map shows it larger, and takes its badges. */

let inset = null;

/* The middle half of the areas by place: where areas are small, the middle is dense. */
function centreBounds() {
  const labels = LEVELS[MAPPED[0]].labels;
  const xs = labels.map((l) => l[0]).sort((a, b) => a - b), ys = labels.map((l) => l[1]).sort((a, b) => a - b);
  const at = (list, q) => list[Math.min(list.length - 1, Math.floor(q * list.length))];
  const middle = [at(ys, 0.5) / UNIT, at(xs, 0.5) / UNIT];
  const box = EDGE_BOX;
  const half = [(box.getNorth() - box.getSouth()) * 0.13, (box.getEast() - box.getWest()) * 0.13];
  return L.latLngBounds([middle[0] - half[0], middle[1] - half[1]], [middle[0] + half[0], middle[1] + half[1]]);
}

function insetWanted() {
  if (!isPhone() || state.compare || root.classList.contains("printing") || LEVELS[MAPPED[0]].code.length < 100) return false;
  const view = VIEWS[0];
  return view.map.getZoom() <= (view.homeZoom || 0) + 0.3 && byId("mapbox").offsetHeight > 330;
}

/* As large as fits beside the outline. */
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

function drawInset() {
  const wanted = insetWanted();
  const box = byId("inset");
  const was = !box.hidden;
  box.hidden = !wanted;
  const main = VIEWS[0];
  if (wanted && !inset) {
    const map = L.map("inset-map", Object.assign(mapOptions(), { dragging: false, touchZoom: false, doubleClickZoom: false, scrollWheelZoom: false, boxZoom: false, keyboard: false, zoomSnap: 0.05 }));
    map.fitBounds(centreBounds(), { animate: false });
    inset = new View(map, { scene: mainScene, onPick: () => {}, small: true });
  }
  const bounds = centreBounds(), inner = bounds.pad(-0.08);
  main.hides = wanted ? (spot) => inner.contains(spot.at) : null;
  if (inset) inset.hides = (spot) => !inner.contains(spot.at);
  if (wanted) {
    sizeInset(box, main);
    inset.map.invalidateSize({ animate: false, pan: false });
    inset.map.fitBounds(bounds, { animate: false });
    inset.draw();
  }
  main.groups.frame.clearLayers();
  if (wanted) L.rectangle(bounds, Object.assign(main.in("picked"), { fill: false, color: palette.ink, weight: 1.2, interactive: false })).addTo(main.groups.frame);
  if (was !== wanted) { main.drawSpots(); main.drawNames(); }
}
