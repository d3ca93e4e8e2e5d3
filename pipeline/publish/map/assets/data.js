/* The JSON block, decoded: the only source of everything on the page, in pictures and in downloads. */

const DATA = JSON.parse(byId("data").textContent);
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
  LEVELS[id] = Object.assign(level, { id, at, shapes: level.rings ? level.rings.map(shape) : [], cache: new Map() });
}
const MAPPED = ["ward", "ward_group", "borough"].filter((id) => LEVELS[id] && LEVELS[id].rings && LEVELS[id].code.length);
const EDGE = shape(DATA.edge);
const EDGE_BOX = L.latLngBounds(EDGE.flat());
const WATER = shape(DATA.water);
const HOTSPOTS = DATA.hotspots.map((h) => Object.assign(h, { shape: shape(h.rings), at: [h.at[1] / UNIT, h.at[0] / UNIT] }));
const BANDS = DATA.density.map((b) => Object.assign(b, { shape: shape(b.rings) }));

const NOT_OFFERED = "w";

/* Cells between commas; `cell*count` stands for a run of equal ones. */
function unrolled(text) {
  const out = [];
  for (const piece of text.split(",")) {
    const star = piece.indexOf("*");
    if (star < 0) { out.push(piece); continue; }
    for (let k = Number(piece.slice(star + 1)); k > 0; k--) out.push(piece.slice(0, star));
  }
  return out;
}

/* Wilson's interval of a share, at 95 per cent. */
function wilson(share, trials) {
  const z = 1.959963984540054, square = z * z;
  const below = 1 + square / trials;
  const centre = (share + square / (2 * trials)) / below;
  const half = (z / below) * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials * trials));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/* The limits behind counts, in events: the same for every area within a category and a length of window. */
function rangeTable(level, kind, categoryId) {
  const name = "ranges|" + kind + "|" + categoryId;
  if (!level.cache.has(name)) {
    const given = (level.ranges[kind] || {})[categoryId] || { n: "", lo: "", hi: "" };
    const [n, lo, hi] = [given.n, given.lo, given.hi].map((text) => text.split(",").map(Number));
    level.cache.set(name, new Map(n.map((count, k) => [count, { lo: lo[k], hi: hi[k] }])));
  }
  return level.cache.get(name);
}

/* The middle of a count's range; the first step has none: it holds nothing and something alike. */
function middleOf(lower, upper) { return lower === 0 && upper > 0 ? NaN : lower + Math.floor((upper - lower + 1) / 2); }

/* Columns that follow from others where the page carries none: the greatest (x) and the middle (m) of each count. */
const FOLLOWING = ["nx", "nm", "ox", "om", "kx", "km"];

/* How a number that is not carried (`=`) is worked out from those that are; payload.py leaves them out. */
function working(levelId, periodId, categoryId, key) {
  const level = LEVELS[levelId];
  const of = (other) => column(levelId, periodId, categoryId, other);
  // Columns are looked up once, not for every cell.
  if (/^[nok]x$/.test(key)) {
    const lower = of(key[0]);
    return (i) => (typeof lower[i] === "number" ? lower[i] + INFO.step - 1 : NaN);
  }
  if (/^[nok]m$/.test(key)) {
    const lower = of(key[0]), upper = of(key[0] + "x");
    return (i) => (typeof lower[i] === "number" ? middleOf(lower[i], upper[i]) : NaN);
  }
  if (key === "r") {
    const middle = of("nm");
    return (i) => (middle[i] / level.people[i]) * 1e4;
  }
  if (key === "s") {
    const part = of("om"), known = of("km"), recorded = of("nm");
    return (i) => (known[i] ? Math.min(part[i] / known[i], 1) : (part[i] / recorded[i]) * 100);
  }
  if (key === "sl" || key === "sh") {
    const [part, all] = key === "sl" ? [of("o"), of("kx")] : [of("ox"), of("k")];
    return (i) => wilson(Math.min(part[i], all[i]) / all[i], all[i])[key === "sl" ? 0 : 1];
  }
  if (key !== "lo" && key !== "hi") return null;
  const window = periodOf(levelId, periodId);
  const limits = rangeTable(level, window ? window.kind : "y", categoryId);
  const lower = of("n");
  return (i) => ((limits.get(lower[i]) || {})[key] / level.people[i]) * 1e4;
}

/* The cells of one column, decoded once: a number, a word, `w` (not offered) or null (no data). */
function column(levelId, periodId, categoryId, key) {
  const level = LEVELS[levelId];
  const name = periodId + "|" + categoryId + "|" + key;
  let cells = level.cache.get(name);
  if (cells) return cells;
  const values = (level.values[periodId] || {})[categoryId] || {};
  const given = Object.prototype.hasOwnProperty.call(values, key);
  const text = given ? unrolled(values[key]) : FOLLOWING.includes(key) ? level.code.map(() => "=") : [];
  const work = working(levelId, periodId, categoryId, key);
  cells = level.code.map((_, i) => {
    const cell = text[i];
    if (cell === undefined || cell === "") return null;
    if (cell === NOT_OFFERED) return NOT_OFFERED;
    if (cell === "=") {
      const value = work ? Math.floor(work(i) * 1e4 + 0.5) / 1e4 : NaN;
      return Number.isFinite(value) ? value : null;
    }
    const number = Number(cell);
    return Number.isNaN(number) ? cell : number;
  });
  level.cache.set(name, cells);
  return cells;
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
