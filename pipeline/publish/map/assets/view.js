// @ts-check
/* One map: areas, bands, circles, outlines, hotspots and names. The page has one; a comparison two; a phone an inset.

   Exports `View`, the list `VIEWS` of those on the page, `circleScale`, `firstRadius` and `besideOf` for legend and
   picture, and how names are broken into lines and ordered. */

import { clip, isolate, say } from "./words.js";
import { CONTEXT, EDGE, FRAMED, HOTSPOTS, INFO, LEVELS, MAPPED, UNIT, WATER, areaAt, column, isInside, parentName } from "./data.js";
import {
  act, areHotspotsQuiet, bandsOf, circleValue, classOf, clearChanges, fillOpacity, isDetailed, isSpotOf,
  largeLevel, largestCount, mainScene, otherScene, overlayOf, sharedLimits, shortName, sideLabel, sorted, spotsOf, state, tiles,
  valueOf,
} from "./model.js";
import { valueText } from "./sentences.js";
import { add, bandColours, byId, el, fillOf, isPhone, nameEl, palette, rampOf, svgEl, textWidth, trianglePath, typeScale } from "./page.js";
import { CONTEXT_PANES, Context, clipped, stepOf } from "./context.js";

/** @import { Hotspot, Level, Overlay, Point, Shape } from "./data.js" */
/** @import { Scene } from "./model.js" */

/** @type {View[]} */
export const VIEWS = [];
/** Name and height of each pane. @type {[string, number][]} */
const PANES = [
  ["edge", 350], ["ground", 360], ["bands", 370], ["areas", 400], ["circles", 425], ["lines", 430], ["tests", 435], ["picked", 440],
  ["spots", 450], ["names", 620], ...CONTEXT_PANES,
];

/** Widths of a hot street in pixels; `reach` is how wide it is to a pointer. */
const STREET = { casing: 6, width: 3.5, reach: 16 };

/** Zoom from which the cores of hotspots that are not chosen are drawn. */
const CORES_FROM = 13;

/** @param {Shape | Point[]} rings @param {L.PolylineOptions} options @returns {L.Polygon} */
function drawRings(rings, options) { return L.polygon(rings, { smoothFactor: 0, interactive: false, ...options }); }

/** @type {L.LatLngBounds | null} */
let framedBox = null;

/** Style a path where anything differs: of hundreds of areas, another category leaves many as they are.
 * @param {L.Path} path @param {L.PathOptions} style */
function restyle(path, style) {
  const held = /** @type {Record<string, unknown>} */ (path.options);
  if (Object.entries(style).some(([name, value]) => held[name] !== value)) path.setStyle(style);
}

/** Bounds of what the first view shows. @returns {L.LatLngBounds} */
export function frameBox() {
  if (!framedBox) framedBox = L.latLngBounds(FRAMED.flat());
  return framedBox;
}

export class View {
  /** @param {L.Map} map
   * @param {{scene: () => Scene, onPick: (i: number) => void, small?: boolean}} options `scene` gives what to draw,
   *   `onPick` hears a choice, `small` leaves out what an inset has no room for */
  constructor(map, { scene, onPick, small }) {
    this.map = map;
    this.scene = scene;
    this.small = Boolean(small);
    this.onPick = onPick;
    /** @type {Record<string, {paths: L.Polygon[], group: L.LayerGroup}>} */
    this.levels = {};
    /** @type {Record<string, L.Renderer>} */
    this.render = {};
    this.settled = false;
    /** Whether the streets are in view, and whether fills have withdrawn to rims. */
    this.close = false;
    this.rimmed = false;
    /** Clips of the rims. @type {SVGElement | null} */
    this.clips = null;
    /** Corners of hotspots' outlines: a name crosses as few as may be. @type {L.Point[]} */
    this.outlines = [];
    /** @type {ReturnType<View["drawBase"]> | null} */
    this.base = null;
    /** The zoom at which everything is in view. @type {number | undefined} */
    this.homeZoom = undefined;
    /** What fitting and the inset want to know when the map is moved; stage.js sets it. @type {() => void} */
    this.onZoom = () => { /* nothing yet */ };
    /** Hotspots that another map shows. @type {((spot: Hotspot) => boolean) | null} */
    this.hides = null;
    /** @type {L.Point[]} */
    this.badges = [];
    /** The names that are drawn, as text. */
    this.named = "";
    /** @type {{level: string, marks: L.CircleMarker[]} | null} */
    this.circles = null;
    /** @type {{level: string, paths: L.Polygon[]} | null} */
    this.lines = null;
    for (const [name, z] of PANES) {
      const pane = map.getPane(name) || map.createPane(name);
      pane.style.zIndex = String(z);
      if (name !== "areas") pane.style.pointerEvents = "none";
      if (name !== "names") this.render[name] = L.svg({ pane: name, padding: 0.5 });
    }
    paneOf(map, "mapPane").setAttribute("aria-hidden", "true");
    /** @type {Record<string, L.LayerGroup>} */
    this.groups = {};
    for (const name of ["bands", "circles", "tests", "picked", "hover", "spots", "marks", "names", "frame"]) this.groups[name] = L.layerGroup().addTo(map);
    this.context = new Context(map, (pane) => this.in(pane));
    this.tip = L.tooltip({ className: "tip", direction: "top", offset: [0, -10], opacity: 1 });
    map.on("zoomend", () => this.afterZoom());
    map.on("moveend", () => {
      if (!this.settled || (map.getZoom() < 12 && !(CONTEXT.any && stepOf(map.getZoom()) !== "region"))) return;
      this.drawNames();
    });
    VIEWS.push(this);
  }

  /** @param {string} pane @returns {L.PathOptions} */
  in(pane) { return { pane, renderer: this.render[pane] }; }

  /** @param {string} levelId */
  shapesOf(levelId) {
    if (this.levels[levelId]) return this.levels[levelId];
    const made = LEVELS[levelId].shapes.map((rings, i) => {
      const path = drawRings(rings, { ...this.in("areas"), interactive: !this.small, weight: 0.5 });
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
    if (!this.base) this.base = this.drawBase();
    const scene = this.scene();
    const dense = scene.mode === "density";
    for (const id of Object.keys(this.levels)) if (id !== scene.level) this.levels[id].group.remove();
    const { paths, group } = this.shapesOf(scene.level);
    if (!this.map.hasLayer(group)) group.addTo(this.map);
    const count = scene.measure === "count" && !dense;
    const large = !isDetailed(scene.level);
    restyle(this.base.edge, { fill: true, fillColor: palette.land, fillOpacity: tiles.shown ? 0.3 : 1, color: palette.edge, weight: this.small ? 1.6 : 2.4 });
    restyle(this.base.water, { stroke: false, fillColor: palette.water, fillOpacity: 1 });
    restyle(this.base.ground, { stroke: false, fillColor: palette.land, fillOpacity: tiles.shown ? 0.3 : 1 });
    paths.forEach((path, i) => {
      const plain = dense || (count && ["ok", "first"].includes(valueOf(scene, i).state));
      restyle(path, {
        fillColor: plain ? palette.land : fillOf(scene, i),
        fillOpacity: dense ? 0 : fillOpacity(),
        color: dense || count ? palette.edge : palette.wardline,
        opacity: dense ? 0.22 : count ? 0.3 : 1,
        weight: large && !dense && !count ? 0 : 0.5,
      });
    });
    const style = { fill: false, color: palette.boroline, weight: this.small ? 0.8 : 1.15, opacity: dense ? 0.5 : 0.82 };
    this.linesOf(largeLevel(scene.level)).forEach((line) => restyle(line, style));
    this.context.draw();
    this.drawRims(scene);
    this.drawBands(scene);
    this.drawCircles(scene);
    this.drawTests(scene);
    this.drawPicked();
    this.drawSpots();
    this.drawMarks();
    this.drawNames();
  }

  /* What every scene lies on; drawn with the first scene, when the first view is known. */
  drawBase() {
    const edge = drawRings(EDGE, this.in("edge")).addTo(this.map);
    const water = drawRings(WATER, this.in("ground")).addTo(this.map);
    const ground = drawRings(EDGE, this.in("ground")).addTo(this.map);
    // Leaflet writes the paths anew after each move, and rims are clipped by them.
    this.render.areas.on("update", () => { if (this.close) this.drawRims(this.scene()); });
    this.settled = true;
    return { edge, water, ground };
  }

  /** Outlines over the fills: of large areas, one level at a time. @param {string} levelId @returns {L.Polygon[]} */
  linesOf(levelId) {
    if (this.lines && this.lines.level === levelId) return this.lines.paths;
    if (this.lines) for (const path of this.lines.paths) path.remove();
    const shapes = MAPPED.includes(levelId) ? LEVELS[levelId].shapes : [];
    const paths = shapes.map((s) => drawRings(s, this.in("lines")).addTo(this.map));
    this.lines = { level: levelId, paths };
    return paths;
  }

  /** Close to, a fill withdraws to a rim inside each area, and the street appears.
   * @param {Scene} scene */
  drawRims(scene) {
    const { paths } = this.shapesOf(scene.level);
    const rims = this.close && CONTEXT.any && state.context && scene.mode === "areas" && scene.measure !== "count";
    if (!this.small) byId("rim-note").hidden = !rims;
    if (this.clips) this.clips.textContent = "";
    if (!rims) {
      if (this.rimmed) for (const path of paths) (path.getElement() || this.clips || el("i")).removeAttribute("clip-path");
      this.rimmed = false;
      return;
    }
    this.rimmed = true;
    const inside = this.map.getBounds().pad(0.5);
    paths.forEach((path, i) => {
      const shape = path.getElement();
      if (!shape || !inside.intersects(path.getBounds())) return;
      const id = "rim-" + VIEWS.indexOf(this) + "-" + i;
      const clipping = svgEl("clipPath", { id });
      clipping.append(svgEl("path", { d: shape.getAttribute("d") || "", "clip-rule": "evenodd" }));
      if (!this.clips) {
        this.clips = svgEl("defs");
        (/** @type {SVGElement} */ (shape).ownerSVGElement || shape).prepend(this.clips);
      }
      this.clips.append(clipping);
      // The stroke lies half inside and half outside; what is outside is clipped away.
      path.setStyle({ fillOpacity: 0.12, color: fillOf(scene, i), weight: 10, opacity: 1 });
      shape.setAttribute("clip-path", "url(#" + id + ")");
    });
  }

  /** @param {Scene} scene */
  drawBands(scene) {
    this.groups.bands.clearLayers();
    if (scene.mode !== "density") return;
    const colours = bandColours(scene.category);
    for (const band of bandsOf(scene.category)) {
      drawRings(band.shape, {
        ...this.in("bands"), fillColor: colours.get(band.low), fillOpacity: fillOpacity(), color: palette.halo, opacity: 0.35, weight: 0.6,
      }).addTo(this.groups.bands);
    }
  }

  /** Circles are made once for a level and then only resized; the largest lie underneath.
   * @param {Scene} scene @returns {L.CircleMarker[]} */
  circlesOf(scene) {
    if (this.circles && this.circles.level === scene.level) return this.circles.marks;
    this.groups.circles.clearLayers();
    const level = LEVELS[scene.level];
    /** @type {L.CircleMarker[]} */
    const marks = [];
    const counts = column(scene.level, scene.period, scene.category, "n"); // in steps the order within a class is of no weight
    const size = (/** @type {number} */ i) => (typeof counts[i] === "number" ? Number(counts[i]) : -1);
    sorted(level.code.map((_, i) => i), size, -1).forEach((i) => {
      const [x, y] = labelsOf(level)[i];
      marks[i] = L.circleMarker([y / UNIT, x / UNIT], { ...this.in("circles"), interactive: false, radius: 0 });
      marks[i].addTo(this.groups.circles);
    });
    this.circles = { level: scene.level, marks };
    return marks;
  }

  /** @param {Scene} scene */
  drawCircles(scene) {
    const wanted = scene.mode !== "density" && scene.measure === "count";
    paneOf(this.map, "circles").style.display = wanted ? "" : "none";
    if (!wanted) return;
    const size = circleScale(this, mainScene());
    const first = firstRadius(size);
    const style = { fillColor: palette.dot, fillOpacity: 0.72, color: palette.halo, weight: 0.7, opacity: 1 };
    const ring = { fillOpacity: 0, color: palette.dot, weight: Math.min(1.2, 0.6 * first), opacity: 1 };
    this.circlesOf(scene).forEach((mark, i) => {
      const found = valueOf(scene, i);
      const value = found.state === "ok" ? Number(found.value) : 0;
      const radius = value > 0 ? size(circleValue(value)) : found.state === "first" ? first : 0;
      restyle(mark, value > 0 ? style : found.state === "first" ? ring : { opacity: 0, fillOpacity: 0 });
      if (mark.getRadius() !== radius) mark.setRadius(radius);
    });
  }

  /** What the chosen test found: its texts where the pointer is, and a click chooses the area under it.
   * @param {Scene} scene */
  drawTests(scene) {
    this.groups.tests.clearLayers();
    const overlay = this.small ? null : overlayOf(scene);
    if (!overlay) return;
    for (const found of overlay.features) {
      const [colour, opacity] = overlay.keys[found.shade];
      if (overlay.lines) this.drawStreet(found.shape, palette[colour], opacity);
      const path = overlay.lines
        ? L.polyline(found.shape, { ...this.in("tests"), smoothFactor: 0, weight: STREET.reach, opacity: 0 })
        : drawRings(found.shape, {
          ...this.in("tests"), interactive: true, fillColor: palette[colour], fillOpacity: opacity, color: palette[colour], weight: 1, opacity: 0.9,
        });
      const show = (/** @type {L.LeafletMouseEvent} */ event) => {
        this.tip.setContent(testContent(overlay, found)).setLatLng(event.latlng);
        this.map.openTooltip(this.tip);
      };
      path.on("mouseover", show);
      path.on("mousemove", (event) => this.tip.setLatLng(event.latlng));
      path.on("mouseout", () => this.map.closeTooltip(this.tip));
      path.on("click", (event) => {
        const i = areaAt(scene.level, [event.latlng.lat, event.latlng.lng]);
        if (i >= 0) this.onPick(i);
        show(event);
      });
      path.addTo(this.groups.tests);
    }
  }

  /** A street in two strokes, so that it shows on every class and on water.
   * @param {Shape} lines @param {string} colour @param {number} opacity */
  drawStreet(lines, colour, opacity) {
    for (const style of [{ color: palette.halo, weight: STREET.casing }, { color: colour, weight: STREET.width, opacity }]) {
      L.polyline(lines, { ...this.in("tests"), smoothFactor: 0, interactive: false, ...style }).addTo(this.groups.tests);
    }
  }

  drawPicked() {
    this.groups.picked.clearLayers();
    if (state.area === null) return;
    const rings = LEVELS[state.level].shapes[state.area];
    const narrow = this.widthOf(rings) < 26;
    for (const style of [{ color: palette.halo, weight: narrow ? 4.6 : 6 }, { color: palette.ink, weight: narrow ? 2 : 2.8 }]) {
      drawRings(rings, { ...this.in("picked"), fill: false, ...style }).addTo(this.groups.picked);
    }
  }

  /** @param {Shape} rings @returns {number} pixels */
  widthOf(rings) {
    const box = L.latLngBounds(rings[0]);
    return this.map.project(box.getSouthEast()).x - this.map.project(box.getNorthWest()).x;
  }

  drawSpots() {
    this.groups.spots.clearLayers();
    this.badges = [];
    this.outlines = [];
    if (!state.hotspots) return;
    const scene = this.scene();
    this.outlines = spotsOf(scene).flatMap((spot) => spot.shape.flat().map((p) => this.map.project(p)));
    const scale = typeScale(), gap = isPhone() ? 19 : 18 * scale;
    // Changes are read first; from close to, both find room. Areas that stand out are no hotspots: never badges on them.
    const quiet = areHotspotsQuiet(scene) && (scene.measure === "significance" || this.map.getZoom() < 13);
    HOTSPOTS.forEach((spot, k) => {
      if (!isSpotOf(spot, scene)) return;
      const on = state.hotspot === k;
      const outline = (/** @type {L.PathOptions} */ style) => drawRings(spot.shape, { ...this.in("spots"), ...style }).addTo(this.groups.spots);
      outline({ fill: false, color: palette.halo, weight: on ? 6 : quiet ? 2.6 : 4.2, opacity: 0.95 });
      outline({ fill: on, fillColor: palette.hot, fillOpacity: 0.18, color: palette.hot, weight: on ? 3 : quiet ? 1.2 : 2 });
      if (on || (!quiet && this.map.getZoom() >= CORES_FROM)) this.drawCores(spot);
    });
    HOTSPOTS.forEach((spot, k) => {
      if (!isSpotOf(spot, scene)) return;
      const on = state.hotspot === k;
      if ((this.hides && this.hides(spot)) || (quiet && !on)) return;
      const places = besideOf(spot, (p) => this.map.project(p), isPhone() ? 5 : 7 * scale);
      const point = places.find((p) => on || this.badges.every((other) => other.distanceTo(p) >= gap));
      if (!point) return;
      this.badges.push(point);
      const mark = L.marker(this.map.unproject(point), {
        keyboard: false, interactive: !this.small, zIndexOffset: 1000 - k,
        icon: L.divIcon({ className: on ? "spot on" : "spot", html: el("span", "badge", String(spot.rank)), iconSize: [20 * scale, 20 * scale] }),
      });
      mark.on("click", () => act.chooseHotspot(k, false));
      mark.addTo(this.groups.spots);
    });
  }

  /** The densest parts of a large hotspot, inside its outline; their badges give way to those of hotspots.
   * @param {Hotspot} spot */
  drawCores(spot) {
    const scale = typeScale();
    for (const core of spot.cores) {
      drawRings(core.shape, { ...this.in("spots"), fillColor: palette.hot, fillOpacity: 0.3, color: palette.hot, weight: 1.4 }).addTo(this.groups.spots);
      const icon = L.divIcon({ className: "spot core", html: el("span", "badge", core.number), iconSize: [24 * scale, 18 * scale] });
      L.marker(core.point, { pane: "names", interactive: false, keyboard: false, icon, zIndexOffset: 500 }).addTo(this.groups.spots);
    }
  }

  /** Triangles on the areas that changed clearly, with a rim in their own colour. */
  drawMarks() {
    this.groups.marks.clearLayers();
    const size = this.small ? 9 : typeScale() * (this.map.getZoom() < 11.3 ? 12 : 16);
    for (const [i, direction] of clearChanges(this.scene())) {
      const [x, y] = labelsOf(LEVELS[this.scene().level])[i];
      const picture = svgEl("svg", { viewBox: "-2 -2 16 16", width: size, height: size });
      const style = { stroke: direction > 0 ? palette["c-hi"] : palette["c-lo"], "stroke-width": 4, "stroke-linejoin": "round", "paint-order": "stroke" };
      picture.append(svgEl("path", { d: trianglePath(direction), fill: palette.paper, ...style }));
      L.marker([y / UNIT, x / UNIT], { pane: "names", interactive: false, keyboard: false,
        icon: L.divIcon({ className: "mark", html: /** @type {any} */ (picture), iconSize: [size, size] }) }).addTo(this.groups.marks);
    }
  }

  /** Names are placed anew, and drawn anew only where any differs: another category moves few of them. */
  drawNames() {
    const names = placeNames(this), placed = JSON.stringify(names);
    if (placed === this.named) return;
    this.named = placed;
    this.groups.names.clearLayers();
    for (const { className, lines, at, angle } of names) {
      const label = el("span");
      lines.forEach((text, k) => { if (k) label.append(el("br")); label.append(isolate(text)); });
      if (angle !== undefined) label.style.transform = "translate(-50%, -50%) rotate(" + angle.toFixed(3) + "rad)";
      L.marker(at, { pane: "names", interactive: false, keyboard: false,
        icon: L.divIcon({ className: "name " + className, html: label, iconSize: [0, 0] }) }).addTo(this.groups.names);
    }
  }

  afterZoom() {
    if (!this.settled) return;
    const scene = this.scene();
    const close = stepOf(this.map.getZoom()) === "street";
    // Close to, fills withdraw to a rim: everything that they cover is drawn anew when that begins or ends.
    if (close !== this.close) { this.close = close; this.draw(); }
    this.context.draw();
    if (scene.measure === "count") this.drawCircles(scene);
    this.drawPicked();
    this.drawSpots();
    this.drawMarks();
    this.drawNames();
    this.onZoom();
  }

  /* ---------- pointing ---------- */

  /** @param {number | null} i @param {L.LatLng | null} [latlng] */
  hover(i, latlng) {
    this.groups.hover.clearLayers();
    if (i === null) { this.map.closeTooltip(this.tip); return; }
    const scene = this.scene();
    drawRings(LEVELS[scene.level].shapes[i], { ...this.in("picked"), fill: false, color: palette.ink, weight: 1.6 }).addTo(this.groups.hover);
    if (latlng) {
      this.tip.setContent(tipContent(scene, i)).setLatLng(latlng);
      this.map.openTooltip(this.tip);
    }
  }

  /** Zoom to bounds, clear of an open drawer. @param {L.LatLngBounds} bounds @param {number} maxZoom */
  fit(bounds, maxZoom) {
    const drawer = /** @type {HTMLElement | null} */ (document.querySelector(".drawer:not([hidden])"));
    const right = drawer && window.innerWidth > 1100 ? drawer.offsetWidth : 0;
    this.map.fitBounds(bounds, { maxZoom, paddingTopLeft: [40, 60], paddingBottomRight: [40 + right, 60], animate: false });
  }
}

/** @param {L.Map} map @param {string} name @returns {HTMLElement} */
function paneOf(map, name) { return /** @type {HTMLElement} */ (map.getPane(name)); }

/** Where the name of each area goes, and the free room around it. @param {Level} level @returns {[number, number, number][]} */
export function labelsOf(level) { return level.labels || []; }

/** Four places on a hotspot's rim for its badge, the north-east one first. @param {Hotspot} spot @returns {Point[]} */
function cornersOf(spot) {
  if (spot.corners) return spot.corners;
  const points = spot.shape.flat();
  const best = (/** @type {number} */ a, /** @type {number} */ b) => points.reduce((p, q) => (q[0] * a + q[1] * b > p[0] * a + p[1] * b ? q : p));
  spot.corners = [spot.point, best(1, -0.25), best(-1, 0.25), best(-1, -0.25)];
  return spot.corners;
}

/** The same places in pixels, a little outside, so that a badge stands beside a small outline and not on it.
 * @param {Hotspot} spot @param {(point: L.LatLngExpression) => {x: number, y: number}} project @param {number} away @returns {L.Point[]} */
export function besideOf(spot, project, away) {
  const middle = project(L.latLngBounds(spot.shape.flat()).getCenter());
  return cornersOf(spot).map((corner) => {
    const p = project(corner);
    const out = L.point(p.x - middle.x, p.y - middle.y);
    const long = Math.hypot(out.x, out.y) || 1;
    return L.point(p.x + (out.x / long) * away, p.y + (out.y / long) * away);
  });
}

/** The ring of a count in the first step, fewer than so many and perhaps none: smaller than every circle.
 * @param {(n: number) => number} size @returns {number} */
export function firstRadius(size) { return Math.max(1, Math.min(2.2, 0.7 * size(INFO.step))); }

/** Circles: area in proportion to the count; the largest of all periods fills about two typical areas.
 * @param {View} view @param {Scene} scene @returns {(n: number) => number} radius in pixels */
export function circleScale(view, scene) {
  const level = LEVELS[scene.level];
  const most = largestCount(scene);
  const box = frameBox();
  const zoom = homeZoom(view);
  const a = view.map.project(box.getNorthWest(), zoom), b = view.map.project(box.getSouthEast(), zoom);
  const areas = FRAMED === EDGE ? level.code.length : level.covered.filter(Boolean).length;
  const typical = Math.sqrt(((b.x - a.x) * (b.y - a.y) * 0.65) / areas);
  const widest = Math.min(38, Math.max(9, typical * 1.05));
  const grow = Math.pow(1.32, view.map.getZoom() - zoom);
  return (n) => Math.max(0.8, Math.sqrt(n / most) * widest * grow);
}

/** @param {View} view @returns {number} */
function homeZoom(view) { return view.homeZoom === undefined ? view.map.getZoom() : view.homeZoom; }

/** @param {Scene} scene @param {number} i @returns {HTMLElement} */
function tipContent(scene, i) {
  const box = el("div");
  add(box, nameEl("b", "", LEVELS[scene.level].name[i]));
  const parent = parentName(scene.level, i);
  if (parent) add(box, nameEl("div", "in", parent));
  /** @param {string} text @param {string} [fill] */
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
    line(valueText({ ...scene, mode: "areas", measure: "count" }, i));
  } else {
    /** @param {Scene} s @param {string} label */
    const one = (s, label) => {
      const text = valueText(s, i), found = valueOf(s, i);
      line(label ? say("map.compare.side", { side: label, value: text }) : text, found.state === "ok" && s.measure !== "count" ? fillOf(s, i) : "");
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

/** @param {Overlay} overlay @param {Overlay["features"][number]} found @returns {HTMLElement} */
function testContent(overlay, found) {
  const box = add(el("div"), el("b", "", overlay.name));
  overlay.columns.forEach((name, k) => add(box, nameEl("div", "v", say("map.overlay.line", { name, text: found.row[k] }))));
  return box;
}

/** @param {View} view @param {number | null} i @param {L.LatLng} [latlng] */
function hoverBoth(view, i, latlng) {
  for (const other of VIEWS) if (!other.small && (other === view || state.compare)) other.hover(i, other === view ? latlng : null);
}

/* ---------- names: the largest areas first, never over one another and never over a badge ---------- */

/** Short for "and" between two parts of a name. */
const AND = "&";

/** A name in one line or two. @param {string} name @param {number} most letters of a line @returns {string[]} */
export function nameLines(name, most) {
  const text = clip(name.split(" " + say("map.names.and") + " ").join(" " + AND + " "), 40);
  const words = text.split(" ");
  if (text.length <= most || words.length < 2) return [text];
  let best = 1, shortest = Infinity;
  for (let k = 1; k < words.length; k++) {
    const longer = Math.max(words.slice(0, k).join(" ").length, words.slice(k).join(" ").length) + (words[k] === AND ? -0.4 : 0);
    if (longer < shortest) { shortest = longer; best = k; }
  }
  return [words.slice(0, best).join(" "), words.slice(best).join(" ")];
}

/** @typedef {{className: string, lines: string[], at: Point, angle?: number}} PlacedName a name where it goes */

/** Places texts on a map so that none lies over another. */
class Placer {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {[number, number, number, number][]} */
    this.taken = [];
    /** @type {PlacedName[]} */
    this.names = [];
    this.scale = typeScale();
  }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom */
  block(left, top, right, bottom) { this.taken.push([left, top, right, bottom]); }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom @returns {boolean} */
  free(left, top, right, bottom) {
    return !this.taken.some((q) => left < q[2] && right > q[0] && top < q[3] && bottom > q[1]);
  }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom @returns {boolean} */
  inside(left, top, right, bottom) {
    return this.view.map.getPixelBounds().contains(L.bounds([left, top], [right, bottom]));
  }

  /** Keep clear of an element that lies on the map. @param {Element} element */
  blockElement(element) {
    const own = element.getBoundingClientRect(), map = this.view.map.getContainer().getBoundingClientRect();
    const { x, y } = /** @type {L.Point} */ (this.view.map.getPixelBounds().min);
    this.block(own.left - map.left + x, own.top - map.top + y, own.right - map.left + x, own.bottom - map.top + y);
  }

  /** Put lines near a point; try a little up and down; give up rather than overlap.
   * @param {string} className @param {string[]} lines @param {L.LatLng} latlng
   * @param {{font: string, height: number, room: number, offsets: number[], track?: number, shy?: boolean, within?: Shape}} options `track`
   *   is the space between letters, `shy` gives up rather than cross the outline of a hotspot, `within` are the rings
   *   that the middle of the name must not leave @returns {boolean} */
  put(className, lines, latlng, { font, height, room, offsets, track, shy, within }) {
    const wide = this.scale * Math.max(...lines.map((t) => textWidth(t, font) + (track || 0) * t.length));
    if (wide > room) return false;
    const tall = this.scale * lines.length * height;
    const p = this.view.map.project(latlng);
    const places = offsets.map((k) => L.point(p.x, p.y + k * tall));
    return this.best(className, lines, within ? places.filter((place) => this.lies(place, within)) : places, { wide, tall, shy });
  }

  /** Whether a point of the screen lies in an area. @param {L.Point} place @param {Shape} rings @returns {boolean} */
  lies(place, rings) {
    const { lat, lng } = this.view.map.unproject(place);
    return rings.filter((ring) => isInside([lat, lng], ring)).length % 2 === 1;
  }

  /** Put a name to the right of a dot, or wherever around it is room.
   * @param {string} className @param {string} name @param {Point} at
   * @param {{size: number, weight: number, away: number}} options @returns {boolean} */
  putBeside(className, name, at, { size, weight, away }) {
    const wide = this.scale * textWidth(name, weight + " " + size + "px"), tall = this.scale * size * 1.1;
    const { x, y } = this.view.map.project(at);
    const right = x + away + wide / 2, left = x - away - wide / 2, up = y - away - tall / 2, down = y + away + tall / 2;
    const places = [[right, y], [left, y], [x, up], [x, down], [right - 1, y - 8], [right - 1, y + 8], [left + 1, y - 8], [left + 1, y + 8]];
    return this.best(className, [name], places.map(([px, py]) => L.point(px, py)), { wide, tall });
  }

  /** Put a name at the place that crosses the fewest outlines of hotspots; a later place must be worth it.
   * @param {string} className @param {string[]} lines @param {L.Point[]} places
   * @param {{wide: number, tall: number, shy?: boolean}} size @returns {boolean} */
  best(className, lines, places, { wide, tall, shy }) {
    /** @type {{cost: number, place: L.Point, box: [number, number, number, number]} | null} */
    let found = null;
    places.forEach((place, k) => {
      /** @type {[number, number, number, number]} */
      const box = [place.x - wide / 2 - 3, place.y - tall / 2 - 1, place.x + wide / 2 + 3, place.y + tall / 2 + 1];
      if (!this.free(...box) || (this.view.small && !this.inside(...box))) return;
      const crossed = CONTEXT.any ? this.view.outlines.filter((p) => p.x > box[0] && p.x < box[2] && p.y > box[1] && p.y < box[3]).length : 0;
      const cost = crossed * 3 + k * 1.4;
      if ((!shy || !crossed) && (!found || cost < found.cost)) found = { cost, place, box };
    });
    if (!found) return false;
    const { place, box } = /** @type {{place: L.Point, box: [number, number, number, number]}} */ (found);
    this.block(...box);
    this.mark(className, lines, this.view.map.unproject(place));
    return true;
  }

  /** Put a name along a line. @param {string} name @param {L.Point} middle @param {number} angle @param {number} wide
   * @returns {boolean} */
  putAlong(name, middle, angle, wide) {
    const cos = Math.abs(Math.cos(angle)), sin = Math.abs(Math.sin(angle));
    const across = cos * wide + sin * 11 * this.scale, down = sin * wide + cos * 13 * this.scale;
    /** @type {[number, number, number, number]} */
    const box = [middle.x - across / 2, middle.y - down / 2, middle.x + across / 2, middle.y + down / 2];
    if (!this.free(...box) || !this.inside(...box)) return false;
    this.block(...box);
    this.mark("road", [name], this.view.map.unproject(middle), angle);
    return true;
  }

  /** @param {string} className @param {string[]} lines @param {L.LatLng} latlng @param {number} [angle] of a road */
  mark(className, lines, latlng, angle) { this.names.push({ className, lines, at: [latlng.lat, latlng.lng], angle }); }
}

/** @param {View} view @returns {PlacedName[]} */
function placeNames(view) {
  const placer = new Placer(view);
  placeAll(placer, view);
  return placer.names;
}

/** @param {Placer} placer @param {View} view */
function placeAll(placer, view) {
  const { map } = view;
  const scene = view.scene();
  const { scale } = placer, half = 12 * scale, mark = 8 * scale;
  for (const badge of view.badges) placer.block(badge.x - half, badge.y - half, badge.x + half, badge.y + half);
  const marked = LEVELS[scene.level];
  for (const [i] of clearChanges(scene)) {
    const p = map.project([labelsOf(marked)[i][1] / UNIT, labelsOf(marked)[i][0] / UNIT]);
    placer.block(p.x - mark, p.y - mark, p.x + mark, p.y + mark);
  }
  const large = largeLevel(scene.level);
  if (view.small) { placeLargeNames(placer, large); return; }
  const stations = view.context.drawStations();
  if (state.area !== null && !isPhone()) placePicked(placer, view);
  if (!state.names) return;
  const step = stepOf(map.getZoom());
  for (const name of ["town", "quarter", "street"]) map.getContainer().classList.toggle("zoom-" + name, name === step);
  if (state.context && CONTEXT.points.length && step !== "region") {
    const named = placeContextNames(placer, stations);
    if (step !== "town") placeWardNames(placer, scene, named);
    placeLargeNames(placer, large, named);
    return;
  }
  placeLargeNames(placer, large);
  const level = LEVELS[scene.level];
  if (map.getZoom() < 12 && level.code.length > 60) return;
  placeWardNames(placer, scene);
}

/** Where the names of context stand, by name in small letters. @typedef {Map<string, Point[]>} Named */

/** Whether a name of context in an area names the area too: its own name would only repeat it.
 * @param {Named} named @param {string} name @param {Shape} rings @returns {boolean} */
export function isNamed(named, name, rings) {
  const places = named.get(name.toLowerCase()) || [];
  return places.some((place) => rings.filter((ring) => isInside(place, ring)).length % 2 === 1);
}

/** @param {Placer} placer @param {Scene} scene @param {Named} [named] what context has named already */
function placeWardNames(placer, scene, named = new Map()) {
  const level = LEVELS[scene.level], { map } = placer.view;
  if (!isDetailed(scene.level)) return;
  const inside = map.getPixelBounds();
  const deep = rampOf(scene).length === 7 ? [0, 6] : [3, 4];
  byRoom(level).forEach(([[x, y, r], i]) => {
    const latlng = L.latLng(y / UNIT, x / UNIT);
    if (!inside.contains(map.project(latlng)) || isNamed(named, level.name[i], level.shapes[i])) return;
    const found = valueOf(scene, i);
    const ends = scene.measure === "change" ? [0, 2] : deep;
    const filled = !placer.view.rimmed && scene.mode === "areas" && scene.measure !== "count";
    const dark = filled && found.value !== null && ends.includes(classOf(found.value, sharedLimits()));
    placer.put("ward" + (dark ? " inverse" : ""), nameLines(shortName(level, i), 11), latlng,
      { font: "400 11px", height: 12.5, room: roomOf(map, latlng, r) * 1.25, offsets: scene.measure === "change" ? [0, 1.2, -1.2] : [0] });
  });
}

/** Places for the names of a level, those with most room first. @param {Level} level @returns {[[number, number, number], number][]} */
export function byRoom(level) {
  const labels = labelsOf(level);
  return sorted(labels.map((_, i) => i), (i) => labels[i][2], -1).map((i) => [labels[i], i]);
}

/** Diameter of the free circle, in pixels. @param {L.Map} map @param {L.LatLng} latlng @param {number} radius metres @returns {number} */
function roomOf(map, latlng, radius) {
  const metres = (156543.034 * Math.cos((latlng.lat * Math.PI) / 180)) / Math.pow(2, map.getZoom());
  return (2 * radius) / metres;
}

/** @typedef {{name: string, rank: number, at: Point, radius: number}} Dot a station that is drawn */

/** Names of stations, places, roads, parks and water: first come, first served, each name once.
 * @param {Placer} placer @param {Dot[]} stations @returns {Named} those of stations and places */
function placeContextNames(placer, stations) {
  const { map } = placer.view;
  const step = stepOf(map.getZoom()), inside = map.getBounds();
  for (const box of document.querySelectorAll(".over:not([hidden])")) placer.blockElement(box);
  for (const { at, radius } of stations) {
    const p = map.project(at);
    placer.block(p.x - radius, p.y - radius, p.x + radius, p.y + radius);
  }
  /** @type {Named} */
  const placed = new Map();
  /** @param {string} name @param {Point} at @param {number} metres @param {() => boolean} put */
  const once = (name, at, metres, put) => {
    const key = name.toLowerCase(), others = placed.get(key) || [];
    if (!name || others.some((other) => map.distance(other, at) < metres) || !put()) return;
    placed.set(key, [...others, at]);
  };
  const sizes = step === "town" ? [12.5, 11.5, 11] : [15, 13, 12];
  const places = CONTEXT.points.filter((p) => p.kind === "place" && inside.contains(p.place));
  /** @param {number} rank */
  const putPlaces = (rank) => {
    for (const { name, place } of places.filter((p) => Math.min(p.rank, 3) === rank)) {
      // Close to, the station of that name keeps it.
      const atStation = (/** @type {Dot} */ s) => s.name.toLowerCase() === name.toLowerCase() && map.distance(s.at, place) < 900;
      if (step === "street" && stations.some(atStation)) continue;
      const size = sizes[rank - 1];
      once(name, place, 1500, () => placer.put("place p" + rank, nameLines(name, 14), L.latLng(place), {
        font: `${rank === 1 ? 700 : 600} ${size}px`, height: size * 1.1, room: Infinity, offsets: [0, 0.6, -0.6, 1.1, -1.1],
      }));
    }
  };
  /** @param {number} rank */
  const putStations = (rank) => {
    const size = (rank === 1 ? 11.5 : 11) + (step === "street" ? 1 : 0);
    for (const { name, at, radius } of stations.filter((s) => Math.min(s.rank, 4) === rank)) {
      const options = { size, weight: rank === 1 ? 500 : 400, away: radius + 3.5 };
      once(name, at, 900, () => placer.putBeside("station" + (rank === 1 ? " first" : ""), name, at, options));
    }
  };
  if (state.hotspot !== null && step === "street") putStations(1);
  putPlaces(1);
  putStations(1);
  putPlaces(2);
  putStations(2);
  if (step !== "town") placeRoadNames(placer);
  for (const { kind, name, middle, at: [, , radius] } of CONTEXT.surfaces) {
    const latlng = L.latLng(middle);
    if (!name || kind === "building" || !inside.contains(latlng)) continue;
    placer.put(kind, nameLines(name, 14), latlng, {
      font: "italic 400 11.5px", height: 12.5, room: roomOf(map, latlng, radius) * 1.3, offsets: [0],
    });
  }
  putPlaces(3);
  putStations(3);
  putStations(4);
  return placed;
}

/** Names of roads, along the longest piece in view, never upside down. @param {Placer} placer */
function placeRoadNames(placer) {
  const { map } = placer.view;
  const { min, max } = map.getPixelBounds();
  if (!min || !max) return;
  for (const { kind, name, lines } of CONTEXT.lines) {
    if (kind !== "road" || !name) continue;
    /** The longest piece in view, from left to right. @type {{length: number, x1: number, y1: number, x2: number, y2: number} | null} */
    let best = null;
    for (const line of lines) {
      const points = line.map((p) => map.project(p));
      for (let k = 1; k < points.length; k++) {
        const piece = clipped(points[k - 1], points[k], { min, max });
        if (!piece) continue;
        const [[x1, y1], [x2, y2]] = piece[0][0] <= piece[1][0] ? piece : [piece[1], piece[0]];
        const length = Math.hypot(x2 - x1, y2 - y1);
        if (!best || length > best.length) best = { length, x1, y1, x2, y2 };
      }
    }
    const wide = placer.scale * textWidth(name, "500 11px");
    // A name may be a little longer than the piece: the road goes on in nearly the same direction.
    if (!best || best.length < wide * 0.8) continue;
    const { x1, y1, x2, y2 } = best;
    const angle = Math.atan2(y2 - y1, x2 - x1);
    for (const part of [0.5, 0.25, 0.75]) {
      if (placer.putAlong(name, L.point(x1 + part * (x2 - x1), y1 + part * (y2 - y1)), angle, wide)) break;
    }
  }
}

/** @param {Placer} placer @param {string} levelId the level of the large areas
 * @param {Named} [named] names of context: those of large areas stand in capitals, after them */
function placeLargeNames(placer, levelId, named) {
  if (!MAPPED.includes(levelId)) return;
  const { map } = placer.view, large = LEVELS[levelId];
  const size = isPhone() || placer.view.small ? 10.5 : 11.5;
  if (named) {
    byRoom(large).forEach(([[x, y], i]) => {
      const name = large.name[i], rings = large.shapes[i];
      if (isNamed(named, name, rings)) return;
      placer.put("borough quiet", [name.toLocaleUpperCase(INFO.language)], L.latLng(y / UNIT, x / UNIT), {
        font: "600 10.5px", height: 12, room: Infinity, offsets: [0, 2, -2, 4, -4], track: 1.6, shy: true, within: rings,
      });
    });
    return;
  }
  byRoom(large).forEach(([[x, y, r], i]) => {
    const latlng = L.latLng(y / UNIT, x / UNIT);
    const name = shortName(large, i);
    const room = roomOf(map, latlng, r) * 1.4 + 6;
    // Where the whole does not fit, "City of Westminster" is Westminster; the City of London, inside London, is the City.
    for (const lines of [nameLines(name, 11), [cityName(name)]]) {
      if (placer.put("borough", lines, latlng, { font: "700 " + size + "px", height: size + 1.5, room, offsets: [0, -0.75, 0.75, -1.3, 1.3] })) break;
    }
  });
}

/** The short name of a city; any other name as it is. @param {string} name @returns {string} */
function cityName(name) {
  const before = say("map.names.city_of") + " ";
  if (!name.startsWith(before)) return name;
  const rest = name.slice(before.length);
  return rest === INFO.region ? name.split(" ")[0] : rest;
}

/** The chosen area's tag: above, below or beside it, wherever nothing else is. @param {Placer} placer @param {View} view */
function placePicked(placer, view) {
  if (state.area === null) return;
  const { map } = view;
  const box = L.latLngBounds(LEVELS[state.level].shapes[state.area].flat());
  const a = map.project(box.getNorthWest()), b = map.project(box.getSouthEast());
  const name = clip(LEVELS[state.level].name[state.area], 40);
  const { scale } = placer, half = scale * (textWidth(name, "700 12px") / 2 + 9), up = 15 * scale, tall = 11 * scale;
  const middle = (a.x + b.x) / 2;
  /** @type {[number, number, string][]} */
  const places = [
    [middle, a.y - up, ""], [middle, b.y + up, " below"], [b.x + half + 4, (a.y + b.y) / 2, " beside"],
    [a.x - half - 4, (a.y + b.y) / 2, " beside"],
  ];
  const [x, y, where] = places.find(([px, py]) => placer.free(px - half, py - tall, px + half, py + tall)) || places[0];
  placer.block(x - half, y - tall - 1, x + half, y + tall + 1);
  if (b.x - a.x < 90) placer.block(a.x, a.y, b.x, b.y);
  placer.mark("picked" + where, [name], map.unproject([x, y]));
}
