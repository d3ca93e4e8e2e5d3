/* What is shown: the state, and for a scene (level, category, measure, period) each area's value, class and fill. */

const MEASURES = {
  rate: { key: "r", ramp: "s", short: "Rate" },
  count: { key: "n", ramp: "s", short: "Number" },
  change: { key: "cw", ramp: "d", short: "Change" },
  significance: { key: "g", ramp: "g", short: "Clusters" },
  outcomes: { key: "s", ramp: "s", short: "Outcomes" },
};
/* A change is one of three classes, as the release calls it: the letters of its words and their classes. */
const CHANGE_CLASSES = { l: -1, n: 0, h: 1 };
const SIGNIFICANCE = [-3, -2, -1, 0, 1, 2, 3];
const PUBLIC = INFO.audience === "public";
const TILES_ASK = INFO.tiles.includes("{key}");
let tilesShown = Boolean(INFO.tiles) && !TILES_ASK;

/* Fills let the streets of a background map through, and nothing else. */
function fillOpacity() { return tilesShown ? 0.78 : 1; }

/* Measures that hold at least one number, offered or not, somewhere. */
function measureExists(measure) {
  return MAPPED.some((id) => Object.values(LEVELS[id].values).some((columns) => MEASURES[measure].key in columns));
}
const SHOWN_MEASURES = Object.keys(MEASURES).filter((m) => m === "count" || measureExists(m));
const DENSITY_CATEGORIES = [...new Set(BANDS.map((b) => b.category))];

function startState() {
  const level = levelsOf(CATEGORIES[0].id)[0] || "borough";
  return {
    level,
    detailed: true,
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
  return column(scene.level, scene.period, scene.category, MEASURES[scene.measure].key).some((v) => v !== null);
}

/* An area in a scene: { state: ok | first | notoffered | few | incomparable | norate | nocover | nodata, value, range }.
   `first` is a count in the first step: fewer than so many, perhaps none. `value` is what classes go by: the middle of a
   range, which no reader sees; `range` holds the count's ends wherever the count is offered. */
function valueOf(scene, i) {
  const { level, period, category, measure } = scene;
  const found = (state_, value = null) => ({
    state: state_,
    value,
    get range() { const range = rangeOf(level, i, period, category, "n"); return range === NOT_OFFERED ? null : range; },
  });
  if (!LEVELS[level].covered[i]) return found("nocover");
  const raw = cell(level, i, period, category, MEASURES[measure].key);
  if (raw === NOT_OFFERED) return found("notoffered");
  if (measure === "count" && raw !== null) return isFirstStep(rangeOf(level, i, period, category, "n")) ? found("first") : found("ok", cell(level, i, period, category, "nm"));
  if (measure === "change" && raw in CHANGE_CLASSES) return found("ok", CHANGE_CLASSES[raw]);
  if (measure === "change" && raw === "f") return found("few");
  if (measure === "change" && raw === "c") return found("incomparable");
  if (typeof raw === "number") return found("ok", raw);
  const range = rangeOf(level, i, period, category, "n");
  if (range === NOT_OFFERED) return found("notoffered");
  if (measure === "rate" && cell(level, i, period, category, "rel") === "f") return found("few");
  const window = periodOf(level, period);
  if (window && !window.complete) return found("nodata");
  if (measure === "rate" && range) return found("norate");
  if (measure === "outcomes" && range && (range.upper === 0 || hasUnsureShare(scene, i, range))) return found("few");
  return found("nodata");
}

/* Outcomes, or what they are a share of, are in their first step: both nothing and something are possible. */
function hasUnsureShare({ level, period, category }, i, range) {
  const positive = rangeOf(level, i, period, category, "o");
  const known = rangeOf(level, i, period, category, "k");
  const unsure = (r) => Boolean(r) && r !== NOT_OFFERED && isFirstStep(r);
  return unsure(positive) || (positive && (unsure(known) || unsure(range)));
}

/* Between what a rate lies for all counts of the range; the same number twice where the count is known. */
function rateEnds(scene, i) {
  const rate = cell(scene.level, i, scene.period, scene.category, "r");
  const range = rangeOf(scene.level, i, scene.period, scene.category, "n");
  const middle = cell(scene.level, i, scene.period, scene.category, "nm");
  if (typeof rate !== "number" || !range || range === NOT_OFFERED) return null;
  return middle ? [(rate * range.lower) / middle, (rate * range.upper) / middle] : [rate, rate];
}

/* The same of a share: fewest outcomes of most offences, most of fewest. */
function shareEnds(scene, i) {
  const share = cell(scene.level, i, scene.period, scene.category, "s");
  if (typeof share !== "number") return null;
  const of = (key) => rangeOf(scene.level, i, scene.period, scene.category, key);
  const given = (r) => (r && r !== NOT_OFFERED ? r : null);
  const part = given(of("o")), all = given(isFlow() ? of("n") : of("k")) || given(of("n"));
  if (part && all && !all.lower && all.upper && !isFlow()) return [part.lower / all.upper, 1];
  if (!part || !all || !all.lower || (part.lower === part.upper && all.lower === all.upper)) return [share, share];
  const unit = isFlow() ? 100 : 1;
  const high = (part.upper / all.lower) * unit;
  return [(part.lower / all.upper) * unit, isFlow() ? high : Math.min(1, high)];
}

function isFlow() { return INFO.outcomes === "flow"; }

function limitsOf(scene) {
  if (scene.measure === "change") return [-0.5, 0.5];
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

function rampOf(scene) {
  const colours = palette[MEASURES[scene.measure].ramp];
  return scene.measure === "change" ? [colours[0], colours[2], colours[4]] : colours;
}

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

/* What a circle's area stands for: the count, or in steps the middle (by ratio) of the class that its step lies in. Both
   sides of a comparison have the circles of the left one. */
function circleValue(value) { return INFO.step > 1 ? classMiddle(classOf(value, sharedLimits())) : value; }

/* Class k of counts in steps: the lowest begins where the first step ends, which is a ring and no circle. */
function classMiddle(k) {
  const limits = sharedLimits();
  const low = k ? limits[k - 1] : INFO.step;
  return Math.sqrt(low * (k < limits.length ? Math.max(low, limits[k]) : Math.max(low, largestCount(mainScene()))));
}

/* The largest count of any period of the same kind: circles keep their scale while the map plays. */
function largestCount(scene) {
  const kind = kindOf(scene);
  const { cache } = LEVELS[scene.level];
  const name = "most|" + kind + "|" + scene.category;
  if (!cache.has(name)) {
    let most = 1;
    for (const p of seriesOf(scene.level, kind)) {
      for (const n of column(scene.level, p.id, scene.category, "nm")) if (typeof n === "number" && n > most) most = n;
    }
    cache.set(name, most);
  }
  return cache.get(name);
}

/* The circles of the legend, largest first: { value, text }; the first step, without a value, is a ring. */
function circleExamples(scene) {
  const found = [];
  if (INFO.step === 1) {
    const nice = (v) => { const p = Math.pow(10, Math.floor(Math.log10(v))); return [5, 2, 1].map((k) => k * p).find((k) => k <= v); };
    const big = nice(largestCount(scene));
    for (const n of new Set([big, nice(Math.max(1, big / 4)), nice(Math.max(1, big / 20))])) found.push({ value: n, text: whole(n) });
  } else {
    const limits = sharedLimits();
    [...limits, Infinity].forEach((limit, k) => {
      const lower = k ? limits[k - 1] : INFO.step;
      if (limit > lower) found.unshift({ value: classMiddle(k), text: limit === Infinity ? whole(lower) + " or more" : countText({ lower, upper: limit - 1 }) });
    });
  }
  // Sums of several steps, and noise, have first steps of their own: the widest is what the ring says.
  const first = LEVELS[scene.level].code.map((_, i) => valueOf(scene, i)).filter((v) => v.state === "first").map((v) => v.range.upper);
  const upper = Math.max(INFO.step - 1, ...first);
  return upper ? found.concat({ value: null, text: capital(countText({ lower: 0, upper })) }) : found;
}

/* What areas are ranked by: the least that a count may be, else the measure itself. */
function rankValue(scene, i) {
  const found = valueOf(scene, i);
  if (scene.measure === "count") return found.range ? found.range.lower : null;
  return found.state === "ok" ? found.value : null;
}

/* Rank by the measure among areas with a value, how many share it, and how far the intervals could move it. */
function rankOf(scene, i) {
  if (PUBLIC && isDetailed(scene.level)) return null;
  const mine = rankValue(scene, i);
  if (mine === null) return null;
  const low = cell(scene.level, i, scene.period, scene.category, "lo");
  const high = cell(scene.level, i, scene.period, scene.category, "hi");
  let rank = 1, of = 0, same = 0, surelyAbove = 0, surelyBelow = 0;
  LEVELS[scene.level].code.forEach((_, j) => {
    const other = rankValue(scene, j);
    if (other === null) return;
    of += 1;
    if (other > mine) rank += 1;
    if (other === mine) same += 1;
    if (scene.measure !== "rate" || typeof low !== "number" || typeof high !== "number" || j === i) return;
    const otherLow = cell(scene.level, j, scene.period, scene.category, "lo");
    const otherHigh = cell(scene.level, j, scene.period, scene.category, "hi");
    if (typeof otherLow === "number" && otherLow > high) surelyAbove += 1;
    if (typeof otherHigh === "number" && otherHigh < low) surelyBelow += 1;
  });
  return { rank, of, joint: same > 1, best: surelyAbove + 1, worst: of - surelyBelow };
}
