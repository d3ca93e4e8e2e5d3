/* Sentences and labels. "Recorded", never "committed"; "fewer" and "more", never "better" and "worse". */

const STATE_WORDS = {
  notoffered: "not offered",
  few: "too few",
  incomparable: "not comparable",
  nocover: "not covered",
  norate: "no resident rate",
  nodata: "no data",
};

function levelWord(levelId, many) { const l = LEVELS[levelId]; return l ? (many ? l.many : l.one) : levelId; }

function capital(text) { return text.charAt(0).toUpperCase() + text.slice(1); }

function inPeriod(period) { return "in " + period.named; }

/* "hate crimes" counted, in the range they lie in: singular for one. */
function counted(range) {
  const noun = INFO.noun;
  const one = range.lower === 1 && range.upper === 1 && /[a-z]s$/.test(noun);
  return countText(range) + " " + (one ? noun.slice(0, -1) : noun);
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
  if (found.state === "ok") return measureText(scene, i, found);
  if (found.state === "first") return capital(counted(found.range));
  if (found.state === "few") {
    if (scene.measure === "rate" && found.range) return capital(counted(found.range)) + ": too few for a rate";
    return scene.measure === "change" ? "Too few to compare" : "Too few to say";
  }
  if (found.state === "notoffered") return "Not offered, to protect people";
  return capital(STATE_WORDS[found.state]);
}

function measureText(scene, i, found) {
  return {
    rate: () => figure(scene, i) + " per 10,000",
    count: () => capital(counted(found.range)),
    change: () => capital(figure(scene, i)) + (found.value === 0 ? " since the year before" : " than the year before"),
    significance: () => capital(significanceWord(found.value)),
    outcomes: () => figure(scene, i) + (isFlow() ? " per 100 recorded" : " with a positive outcome"),
  }[scene.measure]();
}

/* What is neither nothing nor everything never looks like it; words.share_text in Python. */
function shareText(value) {
  if (isFlow()) return rateText(value);
  const pct = Math.round(value * 100);
  return pct === 0 && value > 0 ? "under 1%" : pct === 100 && value < 1 ? "over 99%" : pct + "%";
}

/* A share in a range; one end may say nothing. words.share_range_text in Python. */
function shareRange(low, high) {
  if (isFlow() || shareText(low) === shareText(high)) return rangeText(low, high, shareText);
  const nothing = low < 0.005, everything = high > 0.995;
  if (nothing && everything) return "any share";
  return nothing ? "at most " + shareText(high) : everything ? "at least " + shareText(low) : shareText(low) + " to " + shareText(high);
}

/* A bare figure for table cells and bars; never the middle of a range as if it were known. */
function figure(scene, i) {
  const found = valueOf(scene, i);
  if (found.state === "first") return countText(found.range);
  if (found.state !== "ok") return STATE_WORDS[found.state];
  return {
    rate: () => rangeText(...rateEnds(scene, i), rateText),
    count: () => countText(found.range),
    change: () => changeFigure(found.value),
    significance: () => significanceWord(found.value),
    outcomes: () => shareRange(...shareEnds(scene, i)),
  }[scene.measure]();
}

function changeFigure(value) { return value === 0 ? "no clear change" : value > 0 ? "clearly higher" : "clearly lower"; }

/* The size of a change that was called: about, where it comes from the middles of steps. */
function sizeText(change) { return (INFO.mechanism === "exact" || INFO.mechanism === "suppress" ? "" : "about ") + signed(change); }

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

/* The same of a ratio that lies in a range: only what holds for all of it; words.times_range_words in Python. */
function timesRangeWords(low, high) {
  if (timesWords(low) === timesWords(high)) return timesWords(low);
  const rate = "the " + (INFO.region || "overall") + " rate";
  const above = (v) => Math.round((v - 1) * 100) + "%", below = (v) => Math.round((1 - v) * 100) + "%";
  if (low >= 1.95) return "about " + timesWords(low).split(" ")[1] + " to " + timesWords(high).split(" ")[1] + " times " + rate;
  if (low >= 1.1 && high >= 1.95) return low.toFixed(1) + " to " + high.toFixed(1) + " times " + rate;
  if (low >= 1.1) return above(low) + " to " + above(high) + " above " + rate;
  if (high <= 0.9) return below(high) + " to " + below(low) + " below " + rate;
  if (low > 0.9) return "close to " + rate + " or up to " + above(high) + " above it";
  if (high < 1.1) return "close to " + rate + " or up to " + below(low) + " below it";
  return "somewhere between " + below(low) + " below and " + above(high) + " above " + rate;
}

/* "clearly more than in the 12 months to July 2024 (+17%)", or nothing where no change was called. */
function changeNodes(levelId, i, period, category) {
  const word = cell(levelId, i, period, category, "cw"), change = cell(levelId, i, period, category, "c");
  if (word === "n") return ["with no clear change on " + changeAgainst()];
  if (word !== "h" && word !== "l") return [];
  return [bold("clearly " + (word === "h" ? "more" : "fewer")), " than in " + changeAgainst() + (typeof change === "number" ? " (" + sizeText(change) + ")" : "")];
}

function notOfferedWords(levelId) {
  return "The number for this " + levelWord(levelId) + " is not offered, to protect the people involved" +
    (INFO.mechanism === "suppress" ? ": it is small, or would give away another that is." : ".");
}

/* What is offered of the area around: "In Ealing: 10 to 19 offences (Disability)." */
function aboveWords({ level, period, category }, i) {
  const parent = parentOf(level, i);
  const range = parent ? rangeOf(parent[0], parent[1], period, category, "n") : null;
  if (!range || range === NOT_OFFERED) return "";
  const which = category === CATEGORIES[0].id ? "" : " (" + categoryOf(category).label + ")";
  return " In " + isolate(LEVELS[parent[0]].name[parent[1]]) + " as a whole: " + counted(range) + which + ".";
}

function nocoverWords() { return "This area is not covered by the source: nothing is known, which is not the same as none."; }

/* The sentence at the head of a card, as nodes. */
function sentence(scene, i) {
  const line = el("p", "say");
  const { level, period, category } = scene;
  const window = periodOf(level, period);
  const name = isolate(LEVELS[level].name[i]);
  if (!LEVELS[level].covered[i]) return add(line, nocoverWords());
  const n = rangeOf(level, i, period, category, "n");
  if (n === NOT_OFFERED) return add(line, notOfferedWords(level), aboveWords(scene, i));
  if (n === null || !window) return add(line, "There are no figures for " + name + (window ? " " + inPeriod(window) : "") + ".");
  const which = category === CATEGORIES[0].id ? "" : " (" + categoryOf(category).label + ")";
  add(line, bold(capital(counted(n)) + which), (n.lower === 1 && n.upper === 1 ? " was" : " were") + " recorded in " + name + " " + inPeriod(window));
  const rate = rateEnds(scene, i);
  const all = LEVELS.region ? rateEnds(Object.assign({}, scene, { level: "region" }), 0) : null;
  if (rate && n.upper > 0) {
    add(line, ": " + rangeText(...rate, rateText) + " for every 10,000 residents");
    if (all && all[0] && level !== "region") add(line, ", ", bold(timesRangeWords(rate[0] / all[1], rate[1] / all[0])));
  } else if (cell(level, i, period, category, "rel") === "f") {
    return add(line, ". That is too few to give a reliable rate.");
  } else if (!rate && n.upper > 0 && SHOWN_MEASURES.includes("rate")) {
    return add(line, ". No rate is given here: residents are too few among the people present to divide by them.");
  }
  return add(line, ".");
}
