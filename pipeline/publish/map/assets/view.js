/* One map: areas, bands, circles, outlines, hotspots. The page has one; a comparison two; a phone an inset. */

const VIEWS = [];
const PANES = [["edge", 350], ["ground", 360], ["bands", 370], ["areas", 400], ["circles", 425], ["lines", 430], ["picked", 440], ["spots", 450], ["names", 620]];

function drawRings(rings, options) { return L.polygon(rings, Object.assign({ smoothFactor: 0, interactive: false }, options)); }

class View {
  /* `scene` gives what to draw; `onPick(i)` hears a choice; `small` leaves out what an inset has no room for. */
  constructor(map, { scene, onPick, small }) {
    this.map = map;
    this.scene = scene;
    this.small = Boolean(small);
    this.onPick = onPick;
    this.levels = {};
    this.render = {};
    for (const [name, z] of PANES) {
      const pane = map.createPane(name);
      pane.style.zIndex = z;
      if (name !== "areas") pane.style.pointerEvents = "none";
      if (name !== "names") this.render[name] = L.svg({ pane: name, padding: 0.5 });
    }
    map.getPane("mapPane").setAttribute("aria-hidden", "true");
    this.groups = {};
    for (const name of ["bands", "circles", "picked", "hover", "spots", "names"]) this.groups[name] = L.layerGroup().addTo(map);
    this.tip = L.tooltip({ className: "tip", direction: "top", offset: [0, -10], opacity: 1 });
    this.hovered = null;
    map.on("zoomend", () => this.afterZoom());
    map.on("moveend", () => { if (this.settled && map.getZoom() >= 12) this.drawNames(); });
    VIEWS.push(this);
  }

  in(pane) { return { pane, renderer: this.render[pane] }; }

  shapesOf(levelId) {
    if (this.levels[levelId]) return this.levels[levelId];
    const made = LEVELS[levelId].shapes.map((rings, i) => {
      const path = drawRings(rings, Object.assign(this.in("areas"), { interactive: !this.small, weight: 0.5 }));
      if (!this.small) {
        path.on("click", () => this.onPick(i));
        path.on("mouseover", (event) => hoverBoth(this, i, event.latlng));
        path.on("mousemove", (event) => this.tip.setLatLng(event.latlng));
        path.on("mouseout", () => hoverBoth(this, null));
      }
      return path;
    });
    this.levels[levelId] = { paths: made, group: L.layerGroup(made) };
    return this.levels[levelId];
  }

  /* ---------- everything that depends on the scene ---------- */

  draw() {
    if (!this.settled) this.drawBase();
    const scene = this.scene();
    const dense = scene.mode === "density";
    for (const id of Object.keys(this.levels)) if (id !== scene.level) this.levels[id].group.remove();
    const { paths, group } = this.shapesOf(scene.level);
    if (!this.map.hasLayer(group)) group.addTo(this.map);
    const count = scene.measure === "count" && !dense;
    const borough = scene.level === "borough";
    this.edge.setStyle({ fill: true, fillColor: palette.land, fillOpacity: tilesShown ? 0.3 : 1, color: palette.edge, weight: this.small ? 1.6 : 2.4 });
    this.water.setStyle({ stroke: false, fillColor: palette.water, fillOpacity: 1 });
    this.ground.setStyle({ stroke: false, fillColor: palette.land, fillOpacity: tilesShown ? 0.3 : 1 });
    paths.forEach((path, i) => {
      const plain = dense || (count && ["ok", "first"].includes(valueOf(scene, i).state));
      path.setStyle({
        fillColor: plain ? palette.land : fillOf(scene, i),
        fillOpacity: dense ? 0 : fillOpacity(),
        color: dense || count ? palette.edge : palette.wardline,
        opacity: dense ? 0.22 : count ? 0.3 : 1,
        weight: borough && !dense && !count ? 0 : 0.5,
      });
    });
    this.lines.eachLayer((line) => line.setStyle({ fill: false, color: palette.boroline, weight: this.small ? 0.8 : 1.15, opacity: dense ? 0.5 : 0.82 }));
    this.drawBands(scene);
    this.drawCircles(scene);
    this.drawPicked();
    this.drawSpots();
    this.drawNames();
  }

  /* What every scene lies on; drawn with the first scene, when the first view is known. */
  drawBase() {
    this.edge = drawRings(EDGE, this.in("edge")).addTo(this.map);
    this.water = drawRings(WATER, this.in("ground")).addTo(this.map);
    this.ground = drawRings(EDGE, this.in("ground")).addTo(this.map);
    this.lines = L.layerGroup((MAPPED.includes("borough") ? LEVELS.borough.shapes : []).map((s) => drawRings(s, this.in("lines")))).addTo(this.map);
    this.settled = true;
  }

  drawBands(scene) {
    this.groups.bands.clearLayers();
    if (scene.mode !== "density") return;
    const colours = bandColours(scene.category);
    for (const band of bandsOf(scene.category)) {
      drawRings(band.shape, Object.assign(this.in("bands"), {
        fillColor: colours.get(band.low), fillOpacity: fillOpacity(), color: palette.halo, opacity: 0.35, weight: 0.6,
      })).addTo(this.groups.bands);
    }
  }

  /* Circles are made once for a level and then only resized; the largest lie underneath. */
  circlesOf(scene) {
    if (this.circles && this.circles.level === scene.level) return this.circles.marks;
    this.groups.circles.clearLayers();
    const level = LEVELS[scene.level];
    const marks = [];
    const counts = column(scene.level, scene.period, scene.category, "n"); // in steps the order within a class is of no weight
    const size = (i) => (typeof counts[i] === "number" ? counts[i] : -1);
    level.code.map((_, i) => i).sort((a, b) => size(b) - size(a) || a - b).forEach((i) => {
      const [x, y] = level.labels[i];
      marks[i] = L.circleMarker([y / UNIT, x / UNIT], Object.assign(this.in("circles"), { interactive: false, radius: 0 }));
      marks[i].addTo(this.groups.circles);
    });
    this.circles = { level: scene.level, marks };
    return marks;
  }

  drawCircles(scene) {
    const wanted = scene.mode !== "density" && scene.measure === "count";
    this.map.getPane("circles").style.display = wanted ? "" : "none";
    if (!wanted) return;
    const size = circleScale(this, mainScene());
    const first = firstRadius(size);
    const style = { fillColor: palette.dot, fillOpacity: 0.72, color: palette.halo, weight: 0.7, opacity: 1 };
    const ring = { fillOpacity: 0, color: palette.dot, weight: Math.min(1.2, 0.6 * first), opacity: 1 };
    this.circlesOf(scene).forEach((mark, i) => {
      const found = valueOf(scene, i);
      const shown = found.state === "ok" && found.value > 0;
      mark.setStyle(shown ? style : found.state === "first" ? ring : { opacity: 0, fillOpacity: 0 });
      mark.setRadius(shown ? size(circleValue(found.value)) : found.state === "first" ? first : 0);
    });
  }

  drawPicked() {
    this.groups.picked.clearLayers();
    if (state.area === null) return;
    const rings = LEVELS[state.level].shapes[state.area];
    const narrow = this.widthOf(rings) < 26;
    for (const [colour, weight] of [[palette.halo, narrow ? 4.6 : 6], [palette.ink, narrow ? 2 : 2.8]]) {
      drawRings(rings, Object.assign(this.in("picked"), { fill: false, color: colour, weight })).addTo(this.groups.picked);
    }
  }

  widthOf(rings) {
    const box = L.latLngBounds(rings[0]);
    return this.map.project(box.getSouthEast()).x - this.map.project(box.getNorthWest()).x;
  }

  drawSpots() {
    this.groups.spots.clearLayers();
    this.badges = [];
    if (!state.hotspots) return;
    const gap = isPhone() ? 19 : 18;
    HOTSPOTS.forEach((spot, k) => {
      const on = state.hotspot === k;
      const outline = (style) => drawRings(spot.shape, Object.assign(this.in("spots"), style)).addTo(this.groups.spots);
      outline({ fill: false, color: palette.halo, weight: on ? 6 : 4.2, opacity: 0.95 });
      outline({ fill: on, fillColor: palette.hot, fillOpacity: 0.18, color: palette.hot, weight: on ? 3 : 2 });
    });
    HOTSPOTS.forEach((spot, k) => {
      const on = state.hotspot === k;
      if (this.hides && this.hides(spot)) return;
      const point = besideOf(spot, (p) => this.map.project(p), isPhone() ? 5 : 7).find((p) => on || this.badges.every((other) => other.distanceTo(p) >= gap));
      if (!point) return;
      this.badges.push(point);
      const mark = L.marker(this.map.unproject(point), {
        keyboard: false, interactive: !this.small, zIndexOffset: 1000 - k,
        icon: L.divIcon({ className: on ? "spot on" : "spot", html: el("span", "badge", String(spot.rank)), iconSize: [20, 20] }),
      });
      mark.on("click", () => chooseHotspot(k, false));
      mark.addTo(this.groups.spots);
    });
  }

  drawNames() { this.groups.names.clearLayers(); placeNames(this); }

  afterZoom() {
    if (!this.settled) return;
    const scene = this.scene();
    if (scene.measure === "count") this.drawCircles(scene);
    this.drawPicked();
    this.drawSpots();
    this.drawNames();
    if (this === VIEWS[0]) {
      drawScale();
      if (scene.measure === "count") drawLegend();
    }
  }

  /* ---------- pointing ---------- */

  hover(i, latlng) {
    this.groups.hover.clearLayers();
    this.hovered = i;
    if (i === null) { this.map.closeTooltip(this.tip); return; }
    const scene = this.scene();
    drawRings(LEVELS[scene.level].shapes[i], Object.assign(this.in("picked"), { fill: false, color: palette.ink, weight: 1.6 })).addTo(this.groups.hover);
    if (latlng) {
      this.tip.setContent(tipContent(scene, i)).setLatLng(latlng);
      this.map.openTooltip(this.tip);
    }
  }

  /* Zoom to latitude/longitude bounds, clear of an open drawer. */
  fit(bounds, maxZoom) {
    const drawer = document.querySelector(".drawer:not([hidden])");
    const right = drawer && window.innerWidth > 1100 ? drawer.offsetWidth : 0;
    this.map.fitBounds(bounds, { maxZoom, paddingTopLeft: [40, 60], paddingBottomRight: [40 + right, 60], animate: false });
  }
}

/* Four places on a hotspot's rim for its badge, the north-east one first. */
function cornersOf(spot) {
  if (spot.corners) return spot.corners;
  const points = spot.shape.flat();
  const best = (a, b) => points.reduce((p, q) => (q[0] * a + q[1] * b > p[0] * a + p[1] * b ? q : p));
  spot.corners = [spot.at, best(1, -0.25), best(-1, 0.25), best(-1, -0.25)];
  return spot.corners;
}

/* The same places in pixels, a little outside, so that a badge stands beside a small outline and not on it. */
function besideOf(spot, project, away) {
  const middle = project(L.latLngBounds(spot.shape.flat()).getCenter());
  return cornersOf(spot).map((corner) => {
    const p = project(corner);
    const out = L.point(p.x - middle.x, p.y - middle.y);
    const long = Math.hypot(out.x, out.y) || 1;
    return L.point(p.x + (out.x / long) * away, p.y + (out.y / long) * away);
  });
}

/* The ring of a count in the first step, fewer than so many and perhaps none: smaller than every circle. */
function firstRadius(size) { return Math.max(1, Math.min(2.2, 0.7 * size(INFO.step))); }

/* Circles: area in proportion to the count; the largest of all periods fills about two typical areas. */
function circleScale(view, scene) {
  const level = LEVELS[scene.level];
  const most = largestCount(scene);
  const box = EDGE_BOX;
  const zoom = homeZoom(view);
  const a = view.map.project(box.getNorthWest(), zoom), b = view.map.project(box.getSouthEast(), zoom);
  const typical = Math.sqrt(((b.x - a.x) * (b.y - a.y) * 0.65) / level.code.length);
  const widest = Math.min(38, Math.max(9, typical * 1.05));
  const grow = Math.pow(1.32, view.map.getZoom() - zoom);
  return (n) => Math.max(0.8, Math.sqrt(n / most) * widest * grow);
}

function homeZoom(view) { return view.homeZoom === undefined ? view.map.getZoom() : view.homeZoom; }

function tipContent(scene, i) {
  const box = el("div");
  add(box, nameEl("b", "", LEVELS[scene.level].name[i]));
  const parent = isDetailed(scene.level) ? parentName(scene.level, i) : "";
  if (parent) add(box, nameEl("div", "in", parent));
  const line = (text, fill) => {
    const row = el("div", "v");
    if (fill) {
      const swatch = el("i");
      swatch.style.background = fill;
      row.append(swatch);
    }
    add(box, add(row, text));
  };
  if (scene.mode === "density") {
    line(valueText(Object.assign({}, scene, { mode: "areas", measure: "count" }), i));
  } else {
    const one = (s, label) => {
      const found = valueOf(s, i);
      line((label ? label + ": " : "") + valueText(s, i), found.state === "ok" && s.measure !== "count" ? fillOf(s, i) : "");
    };
    if (state.compare) {
      one(mainScene(), sideLabel(mainScene()));
      one(otherScene(), sideLabel(otherScene()));
    } else {
      one(scene, "");
    }
  }
  return box;
}

function hoverBoth(view, i, latlng) {
  for (const other of VIEWS) if (!other.small && (other === view || state.compare)) other.hover(i, other === view ? latlng : null);
}
