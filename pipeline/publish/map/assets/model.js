/* What is shown: the state, and for a scene (level, category, measure, period) each area's value, class and fill. */

const MEASURES = {
  rate: { key: "r", ramp: "s", short: "Rate" },
  count: { key: "n", ramp: "s", short: "Number" },
  change: { key: "c", ramp: "d", short: "Change" },
  significance: { key: "g", ramp: "g", short: "Clusters" },
  outcomes: { key: "s", ramp: "s", short: "Outcomes" },
};
const CHANGE_LIMITS = [-25, -10, 10, 25];
const SIGNIFICANCE = [-3, -2, -1, 0, 1, 2, 3];
const PUBLIC = INFO.audience === "public";
const CHANGE_WORDS = { h: "higher", l: "lower", n: "no clear change", f: "too few to say", c: "not comparable" };
const TILES_ASK = INFO.tiles.includes("{key}");
let tilesShown = Boolean(INFO.tiles) && !TILES_ASK;

/* Fills let the streets of a background map through, and nothing else. */
function fillOpacity() { return tilesShown ? 0.78 : 1; }

/* Measures that hold at least one number, withheld or not, somewhere. */
function measureExists(measure) {
  const keys = measure === "change" ? ["c", "cw"] : [MEASURES[measure].key];
  return MAPPED.some((id) => Object.values(LEVELS[id].values).some((p) => Object.values(p).some((c) => keys.some((key) => key in c))));
}
const SHOWN_MEASURES = Object.keys(MEASURES).filter((m) => m === "count" || measureExists(m));
const DENSITY_CATEGORIES = [...new Set(BANDS.map((b) => b.category))];

function startState() {
  const level = MAPPED[0] || "borough";
  return {
    level,
    mode: "areas",
    category: CATEGORIES[0].id,
    measure: SHOWN_MEASURES.includes("rate") ? "rate" : "count",
    period: INFO.headline,
    area: null,
    hotspot: null,
    hotspots: HOTSPOTS.length > 0,
    names: true,
    compare: null,
    tab: "area",
    view: null,
  };
}
const state = startState();

function mainScene() {
  return { level: state.level, mode: state.mode, category: state.category, measure: state.measure, period: state.period };
}

/* The other side of a comparison: "p:<period>" or "c:<category>". */
function otherScene() {
  const scene = mainScene();
  if (!state.compare) return scene;
  const what = state.compare.slice(2);
  return state.compare[0] === "p" ? Object.assign(scene, { period: what }) : Object.assign(scene, { category: what });
}

function kindOf(scene) { const p = periodOf(scene.level, scene.period); return p ? p.kind : "y"; }

function hasMeasure(scene) {
  const key = MEASURES[scene.measure].key;
  const words = scene.measure === "change" ? column(scene.level, scene.period, scene.category, "cw") : [];
  return column(scene.level, scene.period, scene.category, key).some((v) => v !== null) || words.some((v) => v !== null);
}

/* { state: ok | withheld | few | incomparable | norate | nocover | nodata, value } of an area in a scene. */
function valueOf(scene, i) {
  const { level, period, category, measure } = scene;
  if (!LEVELS[level].covered[i]) return { state: "nocover", value: null };
  const value = cell(level, i, period, category, MEASURES[measure].key);
  if (value === WITHHELD) return { state: "withheld", value: null };
  if (typeof value === "number") return { state: "ok", value };
  const n = cell(level, i, period, category, "n");
  if (n === WITHHELD) return { state: "withheld", value: null };
  if (measure === "rate" && (cell(level, i, period, category, "rel") === "f")) return { state: "few", value: null };
  if (measure === "change") {
    const word = cell(level, i, period, category, "cw");
    if (word === WITHHELD) return { state: "withheld", value: null };
    if (word === "f") return { state: "few", value: null };
    if (word === "c") return { state: "incomparable", value: null };
  }
  const window = periodOf(level, period);
  if (window && !window.complete) return { state: "nodata", value: null };
  if (measure === "rate" && typeof n === "number") return { state: "norate", value: null };
  if (measure === "outcomes" && n === 0) return { state: "few", value: null };
  return { state: "nodata", value: null };
}

function isFlow() { return INFO.outcomes === "flow"; }

function limitsOf(scene) {
  if (scene.measure === "change") return CHANGE_LIMITS;
  if (scene.measure === "significance") return [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5];
  const all = LEVELS[scene.level].limits[kindOf(scene)] || {};
  const found = (all[scene.category] || {})[scene.measure];
  return found || [1, 2, 5, 10];
}

/* Both sides of a comparison are coloured by the classes of the left one. */
function sharedLimits() { return limitsOf(mainScene()); }

function classOf(value, limits) {
  let k = 0;
  while (k < limits.length && value >= limits[k]) k++;
  return k;
}

/* ---------- colours, read from the style sheet so that a theme needs no code ---------- */

let palette = {};
function readPalette() {
  const list = (letter, n) => Array.from({ length: n }, (_, k) => token(letter + (k + 1)));
  palette = { s: list("s", 5), d: list("d", 5), g: list("g", 7), t: list("t", 6) };
  for (const name of ["ink", "ink-2", "ink-3", "halo", "wardline", "boroline", "edge", "hot", "hot-on", "land", "water", "dot", "paper",
    "ground", "pattern", "rule", "ctl", "bar", "bar-hover"]) palette[name] = token(name);
}

function rampOf(scene) { return palette[MEASURES[scene.measure].ramp]; }

function terrain(k, n) { return palette.t[n < 2 ? 2 : Math.round((k * 5) / (n - 1))]; }

function bandsOf(category) { return BANDS.filter((b) => b.category === category); }

function bandColours(category) {
  const lows = [...new Set(bandsOf(category).map((b) => b.low))].sort((a, b) => a - b);
  return new Map(lows.map((low, k) => [low, terrain(k, lows.length)]));
}

function fillOf(scene, i) {
  const found = valueOf(scene, i);
  if (found.state !== "ok") return "url(#pt-" + found.state + ")";
  return rampOf(scene)[classOf(found.value, sharedLimits())];
}

/* The largest count of any period of the same kind: circles keep their scale while the map plays. */
function largestCount(scene) {
  const kind = kindOf(scene);
  let most = 1;
  for (const p of seriesOf(scene.level, kind)) {
    for (const n of column(scene.level, p.id, scene.category, "n")) if (typeof n === "number" && n > most) most = n;
  }
  return most;
}

/* Rank by the measure among areas with a value, and how far down equal treatment of the intervals could move it. */
function rankOf(scene, i) {
  if (PUBLIC && scene.level === "ward") return null;
  const mine = valueOf(scene, i);
  if (mine.state !== "ok") return null;
  const low = cell(scene.level, i, scene.period, scene.category, "lo");
  const high = cell(scene.level, i, scene.period, scene.category, "hi");
  let rank = 1, of = 0, surelyAbove = 0, surelyBelow = 0;
  LEVELS[scene.level].code.forEach((_, j) => {
    const other = valueOf(scene, j);
    if (other.state !== "ok") return;
    of += 1;
    if (other.value > mine.value) rank += 1;
    if (scene.measure !== "rate" || typeof low !== "number" || typeof high !== "number" || j === i) return;
    const otherLow = cell(scene.level, j, scene.period, scene.category, "lo");
    const otherHigh = cell(scene.level, j, scene.period, scene.category, "hi");
    if (typeof otherLow === "number" && otherLow > high) surelyAbove += 1;
    if (typeof otherHigh === "number" && otherHigh < low) surelyBelow += 1;
  });
  return { rank, of, best: surelyAbove + 1, worst: of - surelyBelow };
}
