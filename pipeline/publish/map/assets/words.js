/* Sentences and labels. "Recorded", never "committed"; "fewer" and "more", never "better" and "worse". */

const STATE_WORDS = {
  withheld: "withheld",
  few: "too few",
  incomparable: "not comparable",
  nocover: "not covered",
  norate: "no resident rate",
  nodata: "no data",
};

function levelWord(levelId, many) { const l = LEVELS[levelId]; return l ? (many ? l.many : l.one) : levelId; }

function capital(text) { return text.charAt(0).toUpperCase() + text.slice(1); }

function inPeriod(period) { return "in " + period.named; }

/* "hate crimes" counted: singular for one. */
function counted(n) {
  const noun = INFO.noun;
  return whole(n) + " " + (n === 1 && /[a-z]s$/.test(noun) ? noun.slice(0, -1) : noun);
}

function subjectOf(categoryId) {
  const category = categoryOf(categoryId);
  return category.id === CATEGORIES[0].id ? INFO.title : INFO.title + " (" + category.label + ")";
}

function changeAgainst() { return INFO.earlierNamed || "the period before"; }

function headingOf(scene) {
  const subject = subjectOf(scene.category);
  if (scene.mode === "density") return subject + ": where it concentrates";
  return {
    rate: subject + " per 10,000 residents",
    count: subject + ": number recorded",
    change: subject + ": change on the year before",
    significance: subject + ": clusters that chance does not explain",
    outcomes: subject + ": " + (isFlow() ? "outcomes per 100 recorded" : "share with a positive outcome"),
  }[scene.measure];
}

function unitOf(scene) {
  return {
    rate: [capital(INFO.noun) + " per 10,000 residents", ""],
    count: [capital(INFO.noun), ""],
    change: ["Change", "on " + changeAgainst()],
    significance: ["Clusters", "of high rates, by confidence"],
    outcomes: isFlow() ? ["Positive outcomes", "recorded per 100 recorded"] : ["Positive outcome", "share of " + INFO.noun],
  }[scene.measure];
}

function significanceWord(k) {
  if (k > 0) return "higher, " + [90, 95, 99][k - 1] + "% confidence";
  if (k < 0) return "lower recorded, " + [90, 95, 99][-k - 1] + "% confidence";
  return PUBLIC ? "not clearly higher" : "not significant";
}

/* A value with its unit; the same words in tooltips, cards, the table and announcements. */
function valueText(scene, i) {
  const found = valueOf(scene, i);
  if (found.state === "ok") return measureText(scene.measure, found.value);
  if (found.state === "few") {
    const n = cell(scene.level, i, scene.period, scene.category, "n");
    if (scene.measure === "rate" && typeof n === "number") return counted(n) + ": too few for a rate";
    return scene.measure === "change" ? "Too few to compare" : "Too few to say";
  }
  if (found.state === "withheld") return "Withheld to protect people";
  return capital(STATE_WORDS[found.state]);
}

function measureText(measure, value) {
  return {
    rate: () => rateText(value) + " per 10,000",
    count: () => counted(value),
    change: () => (Math.round(value) === 0 ? "About the same as the year before" : signed(value) + " on the year before"),
    significance: () => capital(significanceWord(value)),
    outcomes: () => shareText(value) + (isFlow() ? " per 100 recorded" : " with a positive outcome"),
  }[measure]();
}

function shareText(value) { return isFlow() ? rateText(value) : Math.round(value * 100) + "%"; }

/* A bare figure for table cells and bars. */
function figure(measure, value) {
  return {
    rate: () => rateText(value),
    count: () => whole(value),
    change: () => signed(value),
    significance: () => significanceWord(value),
    outcomes: () => shareText(value),
  }[measure]();
}

function timesWords(ratio) {
  const place = INFO.region || "overall";
  if (ratio >= 1.95) {
    const near = ratio < 4.75 ? String(Math.round(ratio * 2) / 2).replace(".5", "\u00bd") : whole(ratio);
    return "about " + near + " times the " + place + " rate";
  }
  if (ratio >= 1.1) return Math.round((ratio - 1) * 100) + "% above the " + place + " rate";
  if (ratio > 0.9) return "close to the " + place + " rate";
  return Math.round((1 - ratio) * 100) + "% below the " + place + " rate";
}

function changeWords(change) {
  if (Math.abs(Math.round(change)) === 0) return "about the same as";
  return Math.abs(Math.round(change)) + "% " + (change < 0 ? "fewer than" : "more than");
}

function withheldWords(levelId) {
  const small = INFO.zeroRule === "band" ? "fewer than " + INFO.threshold : "a small number";
  return "The number for this " + levelWord(levelId) + " is withheld to protect the people involved: it is " + small +
    ", or it would give away another that is.";
}

function withheldKey() { return INFO.zeroRule === "band" ? "Withheld (under " + INFO.threshold + ")" : "Withheld"; }

function nocoverWords() { return "This area is not covered by the source: nothing is known, which is not the same as none."; }

/* The sentence at the head of a card, as nodes. */
function sentence(scene, i) {
  const line = el("p", "say");
  const { level, period, category } = scene;
  const window = periodOf(level, period);
  const name = isolate(LEVELS[level].name[i]);
  if (!LEVELS[level].covered[i]) return add(line, nocoverWords());
  const n = cell(level, i, period, category, "n");
  if (n === WITHHELD) return add(line, withheldWords(level));
  if (n === null || !window) return add(line, "There are no figures for " + name + (window ? " " + inPeriod(window) : "") + ".");
  const which = category === CATEGORIES[0].id ? "" : " (" + categoryOf(category).label + ")";
  add(line, bold(counted(n) + which), (n === 1 ? " was" : " were") + " recorded in " + name + " " + inPeriod(window));
  const rate = cell(level, i, period, category, "r");
  const whole_ = regional(period, category, "r");
  if (typeof rate === "number" && n > 0) {
    add(line, ": " + rateText(rate) + " for every 10,000 residents");
    if (whole_ && level !== "region") add(line, ", ", bold(timesWords(rate / whole_)));
  } else if (cell(level, i, period, category, "rel") === "f") {
    return add(line, ". That is too few to give a reliable rate.");
  } else if (rate === null && n > 0 && SHOWN_MEASURES.includes("rate")) {
    return add(line, ". No rate is given here: residents are too few among the people present to divide by them.");
  }
  if (level === "region") {
    const change = cell(level, i, period, category, "c");
    if (typeof change === "number") add(line, ", ", bold(changeWords(change)), " in " + changeAgainst());
  }
  return add(line, ".");
}
