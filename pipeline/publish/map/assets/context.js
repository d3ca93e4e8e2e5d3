// @ts-check
/* Context: water, green, rail, roads, stations and places under the hotspots, so that a reader knows where they are.

   Exports `Context`, which draws it on one map and follows the zoom; what is drawn at which zoom, `stepOf`, `between`,
   `clipped` and the least important rank of each, which Node can test; and `roadWidths` for the picture. Context never changes the colour of a
   value: lines lie over fills in two strokes, a dark one that multiplies and a light one that screens, so that one of
   them shows on every class. */

import { CONTEXT } from "./data.js";
import { act, mainScene, state } from "./model.js";
import { palette } from "./page.js";

/** @import { Point } from "./data.js" */

/** Steps of zoom at which more is drawn. @typedef {"region" | "town" | "quarter" | "street"} Step */

/** @param {number} zoom @returns {Step} */
export function stepOf(zoom) { return zoom < 11.3 ? "region" : zoom < 13 ? "town" : zoom < 14 ? "quarter" : "street"; }

/** A width between those given for some zooms. @param {number} zoom @param {[number, number][]} table zoom and width, rising
 * @returns {number} */
export function between(zoom, table) {
  const k = table.findIndex(([z]) => zoom <= z);
  if (k === 0) return table[0][1];
  if (k < 0) return table[table.length - 1][1];
  const [a, wa] = table[k - 1], [b, wb] = table[k];
  return wa + ((wb - wa) * (zoom - a)) / (b - a);
}

/** The part of a line that lies in a box, in pixels; null where none does.
 * @param {{x: number, y: number}} a @param {{x: number, y: number}} b
 * @param {{min: {x: number, y: number}, max: {x: number, y: number}}} box
 * @returns {[[number, number], [number, number]] | null} */
export function clipped(a, b, { min, max }) {
  const dx = b.x - a.x, dy = b.y - a.y;
  let from = 0, to = 1;
  for (const [step, room] of [[-dx, a.x - min.x], [dx, max.x - a.x], [-dy, a.y - min.y], [dy, max.y - a.y]]) {
    if (step === 0 && room < 0) return null;
    if (step < 0) from = Math.max(from, room / step);
    if (step > 0) to = Math.min(to, room / step);
  }
  return from < to ? [[a.x + from * dx, a.y + from * dy], [a.x + to * dx, a.y + to * dy]] : null;
}

/** @type {[number, number][]} */
const CASING = [[9, 0.6], [10.7, 0.8], [11.5, 1.3], [12.5, 2.2], [13.5, 3.6], [14.5, 6], [15.5, 9]];
/** @type {[number, number][]} */
const CORE = [[11.2, 0], [12, 0.6], [12.5, 1.1], [13.5, 2.1], [14.5, 4], [15.5, 6.6]];
/** @type {[number, number][]} */
const RAIL = [[11.3, 0.9], [12.5, 1.3], [13.5, 1.7], [14.5, 2.2], [15.5, 2.8]];

/** Widths of a road's two strokes, in pixels; a hairline stands for the core while the road is thin.
 * @param {number} zoom @param {number} rank @returns {{casing: number, core: number}} */
export function roadWidths(zoom, rank) {
  const part = rank < 2 ? 1 : rank < 3 ? 0.8 : 0.6;
  const casing = between(zoom, CASING) * part, core = between(zoom, CORE) * part;
  return { casing, core: core > 0.3 ? core : casing * 0.45 };
}

/** Roads of which rank are drawn at a zoom. @param {number} zoom @returns {number} the least important rank */
export function leastRoad(zoom) { return { region: 1, town: 2, quarter: 3, street: 9 }[stepOf(zoom)]; }

/** Stations of which rank are drawn at a zoom. @param {number} zoom @returns {number} the least important rank, 0 for none */
export function leastStation(zoom) {
  const step = stepOf(zoom);
  return step === "region" ? 0 : step === "town" ? (zoom > 12.2 ? 2 : 1) : step === "quarter" ? (zoom > 13.4 ? 3 : 2) : 9;
}

/** Panes and their heights: green over a plain fill, water and lines over ward lines, dots under names. */
export const CONTEXT_PANES = /** @type {[string, number][]} */ ([
  ["green", 405], ["water", 432], ["casing", 434], ["core", 435], ["stations", 460],
]);

export class Context {
  /** @param {L.Map} map @param {(pane: string) => L.PathOptions} where the options that put a path into a pane */
  constructor(map, where) {
    this.map = map;
    this.where = where;
    /** @type {ReturnType<Context["make"]> | null} */
    this.made = null;
    /** What the look followed from when it was last drawn. */
    this.look = "";
    this.dots = L.layerGroup().addTo(map);
  }

  /* Everything of one look is one path: a few hundred roads cost as much as one. */
  make() {
    /** @param {string} pane @param {Point[][]} parts @returns {L.Polyline} */
    const lines = (pane, parts) => L.polyline(parts, { ...this.where(pane), interactive: false, smoothFactor: 1, fill: false });
    /** @param {string} pane @param {Point[][]} rings @returns {L.Polygon} */
    const surfaces = (pane, rings) => L.polygon(rings, { ...this.where(pane), interactive: false, smoothFactor: 0.5 });
    const of = (/** @type {string} */ kind) => CONTEXT.surfaces.filter((s) => s.kind === kind).flatMap((s) => s.rings);
    const ranks = [...new Set(CONTEXT.lines.filter((l) => l.kind === "road").map((l) => l.rank))].sort((a, b) => b - a);
    const roads = ranks.map((rank) => {
      const parts = CONTEXT.lines.filter((l) => l.kind === "road" && l.rank === rank).flatMap((l) => l.lines);
      return { rank, casing: lines("casing", parts), core: lines("core", parts) };
    });
    const rails = CONTEXT.lines.filter((l) => l.kind === "rail").flatMap((l) => l.lines);
    return {
      green: surfaces("green", of("green")), buildings: surfaces("green", of("building")), water: surfaces("water", of("water")),
      rail: lines("casing", rails), railGap: lines("core", rails), roads,
    };
  }

  draw() {
    if (!CONTEXT.any) return;
    if (!this.made) this.made = this.make();
    const { green, buildings, water, rail, railGap, roads } = this.made;
    const zoom = this.map.getZoom(), step = stepOf(zoom), on = state.context;
    // Over a fill a park is an outline: a tint would change what the colour says.
    const plain = mainScene().mode === "areas" && mainScene().measure === "count";
    // Another category or period changes nothing here, and styling hundreds of lines again costs time.
    const look = [zoom, on, plain, ...Object.values(palette)].join();
    if (look === this.look) return;
    this.look = look;
    // Water is part of the land, not of what can be switched off.
    this.show(water, true, {
      fillColor: palette.water, fillOpacity: 1, weight: step === "region" ? 0 : 0.7, color: palette["ctx-water-ink"], opacity: 0.35,
    });
    this.show(green, on && step !== "region", plain || step === "street"
      ? { fill: true, fillColor: palette["ctx-green"], fillOpacity: plain ? 1 : 0.6, stroke: false }
      : { fill: false, stroke: true, color: palette["ctx-green-ink"], weight: 1, opacity: 0.55, dashArray: "1.5 2.5" });
    this.show(buildings, on && step === "street", { fillColor: palette["ctx-rail"], fillOpacity: 0.25, stroke: false });
    const wide = between(zoom, RAIL);
    this.show(rail, on && step !== "region", { color: palette["ctx-rail"], weight: wide, opacity: 1, lineCap: "butt" });
    this.show(railGap, on && zoom > 12, {
      color: palette["ctx-rail-gap"], weight: wide * 0.55, opacity: 1, lineCap: "butt", dashArray: `${wide * 3} ${wide * 2.2}`,
    });
    for (const { rank, casing, core } of roads) {
      const shown = on && rank <= leastRoad(zoom), widths = roadWidths(zoom, rank);
      this.show(casing, shown, { color: palette["ctx-case"], weight: widths.casing, opacity: 1 });
      this.show(core, shown, { color: palette["ctx-core"], weight: widths.core, opacity: 1 });
    }
  }

  /** @param {L.Path} path @param {boolean} shown @param {L.PathOptions} style */
  show(path, shown, style) {
    if (!shown) { path.remove(); return; }
    path.setStyle(style);
    if (!this.map.hasLayer(path)) path.addTo(this.map);
  }

  /** Rings of the stations in view. @returns {{name: string, rank: number, at: Point, radius: number}[]} what was drawn */
  drawStations() {
    this.dots.clearLayers();
    const zoom = this.map.getZoom(), least = state.context ? leastStation(zoom) : 0;
    if (!least) return [];
    const step = stepOf(zoom), inside = this.map.getBounds().pad(0.05);
    const found = CONTEXT.points.filter((p) => p.kind === "station" && p.rank <= least && inside.contains(p.place));
    const shown = found.map(({ name, rank, place }) => {
      const radius = (step === "town" ? 2.1 : step === "quarter" ? 2.8 : 3.6) * (rank === 1 ? 1.15 : 1);
      L.circleMarker(place, {
        ...this.where("stations"), interactive: false, radius, fillColor: palette.halo, fillOpacity: 1, color: palette["ctx-dot"],
        weight: rank === 1 ? 1.7 : 1.3, opacity: 1,
      }).addTo(this.dots);
      return { name, rank, at: place, radius };
    });
    return shown.sort((a, b) => a.rank - b.rank);
  }
}

/** Show or hide everything of this module but water. @param {boolean} on */
export function switchContext(on) {
  state.context = on;
  act.redraw();
}
