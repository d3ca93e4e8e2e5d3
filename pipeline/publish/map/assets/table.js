// @ts-check
/* The table twin: the same numbers as the map, for every layer; and downloads, made from what the page holds.

   Exports `table` (which layer, in which order), `drawTable`, `saveCsv`, `saveGeoJson`, `copyLink`, `download` and
   `fileName` for pictures; `csvText` and `toGeometry` touch nothing of the page. */

import { COLUMNS, LETTERS, NOT_OFFERED } from "./fields.js";
import { capital, isolate, limitText, say, whole } from "./words.js";
import { BANDS, HOTSPOTS, INFO, LEVELS, categoryOf, cell, isInside, levelAbove, parentName, parentOf, periodOf } from "./data.js";
import {
  SHOWN_MEASURES, act, bandsOf, fillOpacity, funnelOf, hasMeasure, isDetailed, isFlow, isPublic, mainScene, otherScene, overlayOf,
  rankValue, sideLabel, sorted, spotsOf, state, valueOf, wardsOf,
} from "./model.js";
import { figure, regionShort, spotAmount, spotNote, subjectOf } from "./sentences.js";
import { add, announce, button, byId, el, fillOf, inputById, nameEl, palette, svgEl, trianglePath } from "./page.js";

/** @import { Level, Overlay, Point, Shape } from "./data.js" */
/** @import { Measure, Scene } from "./model.js" */

/** @typedef {{id: string, title: string, text: (i: number) => string, sortable?: boolean, number?: boolean,
 *   order?: (i: number) => string | number, found?: (i: number) => string, mute?: (i: number) => boolean,
 *   swatch?: (i: number) => string, direction?: (i: number) => number}} TableColumn */

const TABLE_ROWS = 150;
/** @type {Measure[]} */
const COLUMN_ORDER = ["count", "rate", "change", "outcomes", "significance"];
/** Without a column of its own choice the table follows the measure on the map. */
export const table = { layer: "areas", sort: "", direction: 1 };

/** @returns {TableColumn[]} */
function tableColumns() {
  const scene = mainScene();
  const level = LEVELS[scene.level];
  const found = (/** @type {number} */ i) => [level.name[i], ...wardsOf(scene.level, i)].join(" ");
  /** @type {TableColumn[]} */
  const columns = [{ id: "name", title: say("map.table.area"), sortable: true, text: (i) => level.name[i], found, order: (i) => level.name[i].toLowerCase() }];
  const above = levelAbove(scene.level);
  if (above) {
    const name = (/** @type {number} */ i) => parentName(scene.level, i);
    columns.push({ id: "parent", title: capital(LEVELS[above].one), sortable: true, text: name, order: (i) => name(i).toLowerCase() });
  }
  const league = !(isPublic() && isDetailed(scene.level));
  for (const measure of COLUMN_ORDER) {
    if (!SHOWN_MEASURES.includes(measure)) continue;
    const own = { ...scene, measure };
    if (measure !== "count" && measure !== scene.measure && !hasMeasure(own)) continue;
    if (measure === "change") columns.push(...funnelColumn(scene));
    columns.push(numberColumn(measure, say("map.table." + (measure === "outcomes" && isFlow() ? "outcome_flow" : measure)), own, league));
  }
  if (state.compare) columns.push(numberColumn("other", sideLabel(otherScene()), otherScene(), league));
  return columns;
}

const FUNNEL_ORDER = ["low_998", "low_95", "within", "high_95", "high_998"];

/** Where rates lie against the region's, if the release says so. @param {Scene} scene @returns {TableColumn[]} */
function funnelColumn(scene) {
  if (!LEVELS[scene.level].code.some((_, i) => funnelOf(scene, i))) return [];
  return [{
    id: "funnel", title: say("map.funnel.against", { region: regionShort() }), sortable: true,
    text: (i) => { const found = funnelOf(scene, i); return found ? say("map.funnel.short." + found) : ""; },
    order: (i) => FUNNEL_ORDER.indexOf(funnelOf(scene, i)),
  }];
}

/** @param {string} id @param {string} title @param {Scene} scene @param {boolean} sortable @returns {TableColumn} */
function numberColumn(id, title, scene, sortable) {
  const coloured = scene.measure === state.measure && scene.measure !== "count" && state.mode === "areas";
  return {
    id, title, sortable, number: true,
    order: (i) => { const value = rankValue(scene, i); return value === null ? -Infinity : value; },
    text: (i) => figure(scene, i, true),
    mute: (i) => !["ok", "first"].includes(valueOf(scene, i).state),
    swatch: (i) => (coloured && scene.measure !== "change" && valueOf(scene, i).state === "ok" ? fillOf(scene, i) : ""),
    direction: (i) => (scene.measure === "change" ? Number(valueOf(scene, i).value) : 0),
  };
}

/** @param {number | null} size @param {number} places @returns {string} */
function decimals(size, places) { return size === null ? "" : size.toFixed(places); }

/** @param {number | null} limit @returns {string} upper limit of a band; the highest has none */
function upperLimit(limit) { return limit === null ? say("map.table.and_more") : limitText(limit); }

/** @returns {TableColumn[]} */
function spotColumns() {
  return [
    { id: "rank", title: say("map.table.rank"), sortable: true, number: true, text: (k) => String(HOTSPOTS[k].rank), order: (k) => HOTSPOTS[k].rank },
    { id: "name", title: say("map.table.hotspot"), sortable: true, text: (k) => HOTSPOTS[k].name, order: (k) => HOTSPOTS[k].name.toLowerCase() },
    { id: "parent", title: say("map.table.in"), sortable: true, text: (k) => HOTSPOTS[k].within.join(", "), order: (k) => HOTSPOTS[k].within.join() },
    { id: "count", title: capital(INFO.noun), number: true, text: (k) => spotAmount(HOTSPOTS[k]) },
    {
      id: "size", title: say("map.table.size"), number: true, sortable: true,
      text: (k) => decimals(HOTSPOTS[k].km2, 2), order: (k) => Number(HOTSPOTS[k].km2),
    },
  ];
}

/** @returns {TableColumn[]} */
function bandColumns() {
  /** @type {TableColumn[]} */
  const columns = [
    { id: "category", title: say("map.table.category"), sortable: true, text: (k) => categoryOf(BANDS[k].category).label, order: (k) => BANDS[k].category },
    { id: "low", title: say("map.table.from"), number: true, sortable: true, text: (k) => limitText(BANDS[k].low), order: (k) => BANDS[k].low },
    { id: "high", title: say("map.table.to"), number: true, text: (k) => upperLimit(BANDS[k].high) },
    { id: "size", title: say("map.table.covered"), number: true, text: (k) => squareKm(BANDS[k].shape).toFixed(1) },
  ];
  if (BANDS.some((b) => b.share !== null)) {
    columns.push({ id: "share", title: say("map.table.band_share"), number: true, text: (k) => (BANDS[k].share === null ? "" : BANDS[k].share + "%") });
  }
  return columns;
}

/** @type {TableColumn} */
const rowNumber = { id: "number", title: "", number: true, sortable: true, text: (k) => String(k + 1), order: (k) => k };

/** The rows of a test as they come, numbered; numbers sort as numbers. @param {Overlay} overlay @returns {TableColumn[]} */
function overlayColumns(overlay) {
  /** @param {number} k @param {number} at @returns {string | number} */
  const order = (k, at) => { const text = overlay.features[k].row[at]; return /^[\d.]+$/.test(text) ? Number(text) : text.toLowerCase(); };
  return [
    { ...rowNumber, title: say("map.overlay.number") },
    ...overlay.columns.map((title, at) => {
      const number = overlay.features.every((f) => /^[\d.]*$/.test(f.row[at]));
      const text = (/** @type {number} */ k) => overlay.features[k].row[at];
      return { id: "c" + at, title, number, sortable: true, text, order: (/** @type {number} */ k) => order(k, at) };
    }),
  ];
}

/** Area on the sphere, good to a per mille at this size. @param {Shape} rings @returns {number} km² */
export function squareKm(rings) {
  let sum = 0;
  for (const points of rings) {
    const scale = Math.cos((points[0][0] * Math.PI) / 180);
    for (let k = 0; k < points.length; k++) {
      const [y1, x1] = points[k], [y2, x2] = points[(k + 1) % points.length];
      sum += (x1 * y2 - x2 * y1) * scale;
    }
  }
  return (Math.abs(sum) / 2) * 111.195 * 111.195;
}

/** @typedef {{columns: TableColumn[], rows: number[], title: string, count: (n: number) => string, none: string}} Source */

/** @returns {Source} the layer in the table */
function tableSource() {
  if (table.layer === "hotspots") {
    return {
      columns: spotColumns(), rows: spotsOf(mainScene()).map((spot) => HOTSPOTS.indexOf(spot)), title: say("map.hotspots.title"),
      count: (n) => say("map.table.hotspot_count", { n }), none: spotNote(),
    };
  }
  if (table.layer === "density") {
    return {
      columns: bandColumns(), rows: BANDS.map((_, k) => k), title: say("map.table.bands"),
      count: (n) => say("map.table.band_count", { n }), none: INFO.densityNote || say("map.table.no_bands"),
    };
  }
  const overlay = overlayOf(mainScene());
  if (table.layer === "overlay") {
    return {
      columns: overlay ? overlayColumns(overlay) : [rowNumber], rows: overlay ? overlay.features.map((_, k) => k) : [],
      title: overlay ? overlay.name : say("map.overlay.title"), count: (n) => say("map.overlay.count", { n }),
      none: overlay ? say("map.overlay.nothing", { name: overlay.name }) : say("map.overlay.choose"),
    };
  }
  const { code, many } = LEVELS[state.level];
  return {
    columns: tableColumns(), rows: code.map((_, i) => i), title: say("map.table.title", { areas: capital(many), subject: subjectOf(state.category) }),
    count: (n) => whole(n) + " " + many, none: say("map.table.no_areas"),
  };
}

export function drawTable() {
  if (byId("drawer-table").hidden) return;
  const source = tableSource();
  const window = periodOf(state.level, state.period);
  byId("table-title").textContent = source.title;
  const overlay = table.layer === "overlay" ? overlayOf(mainScene()) : null;
  byId("table-subtitle").textContent = overlay ? overlay.note : capital(table.layer === "areas" ? (window ? window.label : "") : INFO.headlineLabel);
  const query = inputById("table-filter").value.trim().toLowerCase();
  const { sorter, direction } = sortingOf(source.columns);
  const named = source.columns.filter((c) => !c.number || c.id === "rank");
  const found = source.rows.filter((i) => !query || named.some((c) => (c.found || c.text)(i).toLowerCase().includes(query)));
  const all = sorted(found, sorter.order || sorter.text, direction);
  tableHead(source.columns, sorter, direction);
  const body = byId("table-rows");
  body.textContent = "";
  const part = document.createDocumentFragment();
  const shown = query ? all : all.slice(0, TABLE_ROWS);
  for (const i of shown) part.append(tableRow(source.columns, i));
  body.append(part);
  const count = source.count(all.length);
  const cut = shown.length < all.length ? say("map.table.first_shown", { count, shown: TABLE_ROWS }) : count;
  byId("table-count").textContent = source.rows.length ? cut : source.none;
}

/** What rows are sorted by: the reader's choice, else the measure on the map, highest first, else the first column.
 * @param {TableColumn[]} columns @returns {{sorter: TableColumn, direction: number}} */
function sortingOf(columns) {
  const chosen = columns.find((c) => c.id === table.sort && c.sortable);
  if (chosen) return { sorter: chosen, direction: table.direction };
  const measure = columns.find((c) => c.id === state.measure && c.sortable && table.layer === "areas");
  return { sorter: measure || columns.find((c) => c.sortable) || columns[0], direction: measure ? -1 : 1 };
}

/** @param {TableColumn[]} columns @param {TableColumn} sorter @param {number} direction */
function tableHead(columns, sorter, direction) {
  const row = el("tr");
  for (const c of columns) {
    const head = el("th", c.number ? "n" : "");
    head.scope = "col";
    if (c.sortable) {
      head.setAttribute("aria-sort", sorter === c ? (direction < 0 ? "descending" : "ascending") : "none");
      const sort = button("", undefined, () => {
        table.direction = sorter === c ? -direction : c.number && c.id !== "rank" ? -1 : 1;
        table.sort = c.id;
        drawTable();
        /** @type {HTMLElement} */ (byId("table-head").querySelector('[data-id="' + c.id + '"]')).focus();
        announce(say("map.table.sorted_by", { column: c.title }));
      });
      sort.dataset.id = c.id;
      const arrow = el("i", "", sorter === c ? (direction < 0 ? "\u25bc" : "\u25b2") : "");
      arrow.setAttribute("aria-hidden", "true");
      add(head, add(sort, c.title + " ", arrow));
    } else head.textContent = c.title;
    row.append(head);
  }
  byId("table-head").textContent = "";
  byId("table-head").append(row);
}

/** @param {TableColumn[]} columns @param {number} i @returns {HTMLElement} */
function tableRow(columns, i) {
  const row = el("tr");
  if (table.layer === "areas" && state.area === i) row.className = "chosen";
  columns.forEach((c) => {
    if (c.id === "name") {
      const head = el("th");
      head.scope = "row";
      const choose = () => (table.layer === "areas" ? act.chooseArea(i, true) : act.chooseHotspot(i, true));
      head.append(add(button("", undefined, choose), nameEl("span", "", c.text(i))));
      row.append(head);
      return;
    }
    const data = el("td", (c.number ? "n" : "") + (c.mute && c.mute(i) ? " mute" : ""));
    const fill = c.swatch ? c.swatch(i) : "";
    if (fill) {
      const swatch = el("i", "swatch");
      swatch.style.background = fill;
      swatch.style.opacity = String(fillOpacity());
      data.append(swatch);
    }
    const direction = c.direction ? c.direction(i) : 0;
    if (direction) data.append(triangle(direction));
    data.append(isolate(c.text(i)));
    row.append(data);
  });
  return row;
}

/** @param {number} direction @returns {SVGElement} */
function triangle(direction) {
  const picture = svgEl("svg", { class: "triangle", viewBox: "0 0 12 12", "aria-hidden": "true" });
  picture.append(svgEl("path", { d: trianglePath(direction), fill: direction > 0 ? palette["c-hi"] : palette["c-lo"] }));
  return picture;
}

/* Rows and headings as text, for the CSV and the sheet of paper. */
function tableText() {
  const source = tableSource();
  return { head: source.columns.map((c) => c.title), rows: source.rows.map((i) => source.columns.map((c) => c.text(i))) };
}

/* ---------- downloads ---------- */

/** @param {string} name @param {string} type @param {string | Blob} content */
export function download(name, type, content) {
  const link = el("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  announce(say("map.save.saved_as", { name }));
}

/** @param {string} ending @returns {string} */
export function fileName(ending) {
  const words = [INFO.runName, state.mode === "density" ? "density" : LEVELS[state.level].key + "-" + state.measure, state.category, state.period];
  return words.join("_").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/\.\./g, "_to_") + "." + ending;
}

/** A cell that a spreadsheet would take for a formula gets an apostrophe; plain numbers stay numbers.
 * @param {unknown} value @returns {string} */
export function csvCell(value) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value !== "number" && /^[\s\u200e\u200f\u202a-\u202e\u2066-\u2069]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text)) text = "'" + text;
  return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
}

/** @param {unknown[][]} rows @returns {string} */
export function csvText(rows) { return "\ufeff" + rows.map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n"; }

/** One area in the columns of area_counts.csv. @param {Scene} scene @param {number} i @returns {Record<string, unknown>} */
function areaRecord(scene, i) {
  const level = LEVELS[scene.level];
  const window = periodOf(scene.level, scene.period);
  const parent = parentOf(scene.level, i);
  /** @type {Record<string, unknown>} */
  const record = {
    area_code: level.code[i], area_name: level.name[i], level: level.key, parent_code: level.parent[i] || null,
    parent_name: parent ? LEVELS[parent[0]].name[parent[1]] : null, population: level.people[i], covered: level.covered[i],
    period: scene.period, period_start: window ? window.start : null, period_end: window ? window.end : null,
    complete: window ? window.complete : null, category: scene.category,
  };
  /** @type {Set<string>} */
  const gone = new Set();
  for (const [key, name] of COLUMNS) {
    const value = cell(scene.level, i, scene.period, scene.category, key);
    record[name] = value === NOT_OFFERED ? null : typeof value === "string" && LETTERS[key] ? LETTERS[key][value] || value : value;
    if (value === NOT_OFFERED) gone.add(name.replace(/_(lower|upper)$/, ""));
  }
  record.not_offered = record.withheld = [...gone].join(";");
  return record;
}

/** Name of a level's layer, as the files beside the page have it. @param {Level} level @returns {string} */
function layerName({ id, key }) { return key === id ? id + "s" : key; }

/** Cautions that go with everything that leaves the page. @returns {string[]} */
export function notesForFiles() {
  return [INFO.synthetic, INFO.counts, INFO.audit, INFO.marking, INFO.publisher, INFO.licence, ...INFO.wording].filter(Boolean);
}

export function saveCsv() {
  const scenes = state.compare ? [mainScene(), otherScene()] : [mainScene()];
  const records = scenes.flatMap((scene) => LEVELS[scene.level].code.map((_, i) => areaRecord(scene, i)));
  const head = Object.keys(records[0]);
  if (!byId("drawer-table").hidden && table.layer !== "areas") {
    const text = tableText();
    download(fileName(table.layer + ".csv"), "text/csv", csvText([text.head, ...text.rows]));
    return;
  }
  download(fileName("csv"), "text/csv", csvText([head, ...records.map((r) => head.map((k) => r[k]))]));
}

/** Rings to GeoJSON polygons: outer rings run anticlockwise, a hole belongs to the smallest outer ring around it.
 * @param {Shape} rings @returns {{type: string, coordinates: Point[][] | Point[][][]}} */
export function toGeometry(rings) {
  /** @type {Point[][]} */
  const turned = rings.map((points) => points.map(([y, x]) => [x, y]));
  /** @param {Point[]} r */
  const area = (r) => r.reduce((sum, [x, y], k) => { const [u, v] = r[(k + 1) % r.length]; return sum + x * v - u * y; }, 0) / 2;
  /** @param {Point[]} r */
  const closed = (r) => [...r, r[0]];
  const outer = turned.filter((r) => area(r) > 0).map((r) => ({ ring: r, size: area(r), parts: [closed(r)] }));
  for (const hole of turned.filter((r) => area(r) <= 0)) {
    /** @type {Point} */
    const corner = [(hole[0][0] + hole[1][0]) / 2, (hole[0][1] + hole[1][1]) / 2];
    const owner = outer.filter((o) => isInside(corner, o.ring)).sort((a, b) => a.size - b.size)[0];
    if (owner) owner.parts.push(closed(hole));
  }
  return outer.length === 1 ? { type: "Polygon", coordinates: outer[0].parts } : { type: "MultiPolygon", coordinates: outer.map((o) => o.parts) };
}

/** @param {string} id @param {Shape} rings @param {Record<string, unknown>} properties */
function feature(id, rings, properties) { return { type: "Feature", id, properties, geometry: toGeometry(rings) }; }

function shownFeatures() {
  const scene = mainScene();
  if (state.mode === "density") {
    return bandsOf(state.category).map((b) => {
      return feature(b.id, b.shape, { density_id: b.id, category: b.category, density_low: b.low, density_high: b.high, share_pct: b.share });
    });
  }
  return LEVELS[scene.level].code.map((code, i) => feature(code, LEVELS[scene.level].shapes[i], areaRecord(scene, i)));
}

export function saveGeoJson() {
  const dense = state.mode === "density", scene = mainScene();
  const spots = state.hotspots && (dense || table.layer === "hotspots") ? spotsOf(scene) : [];
  const outlines = spots.map((h) => feature(h.id, h.shape, {
    hotspot_id: h.id, rank: h.rank, name: h.name, incidents: h.n, incidents_band: h.band, area_km2: h.km2, density_per_km2: h.density,
  }));
  const collection = {
    type: "FeatureCollection", name: dense ? "density" : layerName(LEVELS[state.level]), notes: notesForFiles(), simplified: true,
    features: [...shownFeatures(), ...outlines],
  };
  download(fileName("geojson"), "application/geo+json", JSON.stringify(collection));
}

export function copyLink() {
  const done = (/** @type {string} */ text) => { byId("save-note").textContent = text; announce(text); };
  const shown = () => done(say("map.save.copy_address", { address: location.href }));
  if (!navigator.clipboard) { shown(); return; }
  navigator.clipboard.writeText(location.href).then(() => done(say("map.save.link_copied")), shown);
}
