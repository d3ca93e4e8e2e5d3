/* The JSON block, decoded: the only source of everything on the page, in pictures and in downloads. */

/* The block holds JSON, compressed: {"gzip": "<base64>"}. */
async function unpacked(block) {
  const bytes = Uint8Array.from(atob(JSON.parse(block).gzip), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

const DATA = await unpacked(byId("data").textContent);
const INFO = DATA.info;
const CATEGORIES = DATA.categories;
const UNIT = 1e5;

/* Shared arcs: differences of whole hundred-thousandths of a degree. */
const ARCS = DATA.arcs.map((code) => {
  const points = [];
  let x = 0, y = 0;
  for (let k = 0; k < code.length; k += 2) {
    x += code[k];
    y += code[k + 1];
    points.push([y / UNIT, x / UNIT]);
  }
  return points;
});

/* One closed ring as [latitude, longitude] pairs, the first not repeated. */
function ring(references) {
  const out = [];
  for (const r of references) {
    const arc = r < 0 ? ARCS[-r - 1] : ARCS[r];
    const n = arc.length - 1;
    for (let k = 0; k < n; k++) out.push(r < 0 ? arc[n - k] : arc[k]);
  }
  return out;
}

function shape(rings) { return rings.map(ring); }

const ALWAYS = ["region", "borough", "ward_group", "ward"];
const LEVELS = {};
for (const id of ALWAYS) {
  const level = DATA.levels[id];
  if (!level) continue;
  const at = new Map(level.code.map((code, i) => [code, i]));
  LEVELS[id] = Object.assign(level, { id, at, shapes: level.rings ? level.rings.map(shape) : [], nothing: level.code.map(() => null), cache: new Map() });
}
const MAPPED = ["ward", "ward_group", "borough"].filter((id) => LEVELS[id] && LEVELS[id].rings && LEVELS[id].code.length);
const EDGE = shape(DATA.edge);
const EDGE_BOX = L.latLngBounds(EDGE.flat());
const WATER = shape(DATA.water);
const HOTSPOTS = DATA.hotspots.map((h) => Object.assign(h, { shape: shape(h.rings), at: [h.at[1] / UNIT, h.at[0] / UNIT] }));
const BANDS = DATA.density.map((b) => Object.assign(b, { shape: shape(b.rings) }));

const NOT_OFFERED = "w";

/* One column of a level: for each area a number, a word, `w` (not offered) or null (no data). */
function column(levelId, periodId, categoryId, key) {
  const level = LEVELS[levelId];
  const columns = level.values[categoryId] || {};
  return (columns[key] || {})[periodId] || level.nothing;
}

function cell(levelId, i, periodId, categoryId, key) { return column(levelId, periodId, categoryId, key)[i]; }

function periodOf(levelId, id) { return LEVELS[levelId].periods.find((p) => p.id === id) || null; }

function kindsOf(levelId) { return ["y", "q", "m"].filter((k) => LEVELS[levelId].periods.some((p) => p.kind === k)); }

function seriesOf(levelId, kind) { return LEVELS[levelId].periods.filter((p) => p.kind === kind); }

function categoryOf(id) { return CATEGORIES.find((c) => c.id === id) || CATEGORIES[0]; }

/* The area one level up, as [level, index], or null. */
function parentOf(levelId, i) {
  const code = LEVELS[levelId].parent[i];
  for (const id of ALWAYS) {
    if (LEVELS[id] && LEVELS[id].at.has(code)) return [id, LEVELS[id].at.get(code)];
  }
  return null;
}

function parentName(levelId, i) {
  const parent = parentOf(levelId, i);
  return parent && parent[0] === "borough" ? LEVELS.borough.name[parent[1]] : "";
}

/* A count as the range it lies in: { lower, upper }, `w` (not offered) or null (no data). `key`: n, o or k. */
function rangeOf(levelId, i, periodId, categoryId, key) {
  const lower = cell(levelId, i, periodId, categoryId, key);
  return typeof lower === "number" ? { lower, upper: cell(levelId, i, periodId, categoryId, key + "x") } : lower;
}

/* The count may be nothing or something: it is worded "fewer than". */
function isFirstStep(range) { return range.lower === 0 && range.upper > 0; }

/* The whole region's count; null where there is none. */
function regionalRange(periodId, categoryId) {
  const range = LEVELS.region ? rangeOf("region", 0, periodId, categoryId, "n") : null;
  return range === NOT_OFFERED ? null : range;
}

/* A number of the whole region; null where there is none or it is not offered. */
function regional(periodId, categoryId, key) {
  if (!LEVELS.region) return null;
  const value = cell("region", 0, periodId, categoryId, key);
  return typeof value === "number" ? value : null;
}
