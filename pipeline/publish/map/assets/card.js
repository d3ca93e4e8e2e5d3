/* The card of the chosen area, or of the whole region when none is chosen. */

function fact(name, value, small) {
  const figure_ = el("dd", "", value);
  if (small) add(figure_, " ", el("small", "", small));
  return add(el("div"), el("dt", "", name), figure_);
}

function subhead(text, rest) { return add(el("h3", "h3", text + " "), el("span", "", rest ? "\u00b7 " + rest : "")); }

function drawCard() { fillCard(byId("pane-area"), { paper: false }); }

function fillCard(host, { paper }) {
  host.textContent = "";
  const card = el("div", "card");
  host.append(card);
  if (state.area === null) regionCard(card, paper);
  else areaCard(card, state.area, paper);
}

function peopleText(levelId, i) {
  const people = LEVELS[levelId].people[i];
  return people ? whole(people) + " residents" : "";
}

function cardHead(card, name, below, paper) {
  const head = el("header"), words = el("div");
  add(words, nameEl("h2", "", name), below ? nameEl("p", "of", below) : "");
  head.append(words);
  if (!paper && state.area !== null) {
    const close = button("iconbutton", undefined, () => { chooseArea(null); byId("tab-area").focus(); });
    close.setAttribute("aria-label", "Clear the selection");
    close.append(icon("i-close"));
    head.append(close);
  }
  card.append(head);
}

function regionCard(card, paper) {
  const scene = mainScene();
  cardHead(card, INFO.region || "All areas", LEVELS.region ? peopleText("region", 0) : "", paper);
  if (LEVELS.region) {
    const own = Object.assign({}, scene, { level: "region" });
    card.append(regionSentence(own));
    if (scene.measure === "outcomes") outcomeLine(card, own, 0);
    trendPart(card, scene, null);
  }
  if (scene.mode === "areas" && !(PUBLIC && isDetailed(scene.level))) topFive(card, scene);
  if (!paper) card.append(el("p", "note", "Select an area on the map, in the table or by name to see its figures here."));
  countsNote(card);
}

/* How counts are given, at the foot of every card of a release. */
function countsNote(card) { if (INFO.counts) card.append(el("p", "note", INFO.counts)); }

/* The region has the same windows as the level on the map where the release gives them. */
function regionSentence(own) {
  const window = periodOf(state.level, own.period);
  const range = regionalRange(own.period, own.category);
  if (!range || !window) return el("p", "say", "No total is given for this period.");
  const line = el("p", "say");
  const which = own.category === CATEGORIES[0].id ? "" : " (" + categoryOf(own.category).label + ")";
  add(line, bold(capital(counted(range)) + which), " were recorded " + inPeriod(window));
  const rate = rateEnds(own, 0);
  if (rate) add(line, ", " + rangeText(...rate, rateText) + " for every 10,000 residents");
  const change = changeNodes("region", 0, own.period, own.category);
  if (change.length) add(line, ", ", ...change);
  return add(line, ".");
}

/* The five highest: by the least that counts may be, and of changes only those that were called. */
function topFive(card, scene) {
  if (scene.measure === "significance") return;
  const order = (i) => (scene.measure === "change" ? cell(scene.level, i, scene.period, scene.category, "c") : rankValue(scene, i));
  const rows = LEVELS[scene.level].code.map((_, i) => i)
    .filter((i) => { const found = valueOf(scene, i); return found.state === "ok" && (scene.measure !== "change" || found.value > 0); });
  rows.sort((a, b) => order(b) - order(a) || a - b);
  const titles = { rate: "Highest rates", count: "Most recorded", change: "Clearly higher", outcomes: "Highest shares" };
  if (!rows.length && scene.measure !== "change") return;
  card.append(subhead(titles[scene.measure], levelWord(scene.level, true)));
  if (!rows.length) { card.append(el("p", "note tight", "None is clearly higher than in " + changeAgainst() + ".")); return; }
  const list = el("ol", "top");
  for (const i of rows.slice(0, 5)) {
    const swatch = el("i", scene.measure === "count" ? "swatch round" : "swatch");
    swatch.style.background = scene.measure === "count" ? palette.dot : fillOf(scene, i);
    const label = nameEl("span", "", LEVELS[scene.level].name[i] + " ");
    if (isDetailed(scene.level)) label.append(nameEl("small", "", parentName(scene.level, i)));
    const row = button("", undefined, () => chooseArea(i, true));
    const size = cell(scene.level, i, scene.period, scene.category, "c");
    const text = scene.measure !== "change" ? figure(scene, i) : typeof size === "number" ? sizeText(size) : "";
    list.append(add(el("li"), add(row, swatch, label, el("b", "", text))));
  }
  card.append(list);
}

function areaCard(card, i, paper) {
  const scene = mainScene();
  const level = LEVELS[scene.level];
  const above = isDetailed(scene.level) ? parentName(scene.level, i) : capital(level.one);
  cardHead(card, level.name[i], [above, peopleText(scene.level, i)].filter(Boolean).join(" \u00b7 "), paper);
  card.append(sentence(scene, i));
  if (scene.level === "ward_group") card.append(nameEl("p", "note", capital(levelWord("ward", true)) + " in this group: " + wardsOf(scene.level, i).join(", ") + "."));
  if (!level.covered[i]) return;
  factsPart(card, scene, i);
  changePart(card, scene, i);
  outcomeLine(card, scene, i);
  clusterLine(card, scene, i);
  barsPart(card, scene, i);
  trendPart(card, scene, i);
  if (cell(scene.level, i, scene.period, scene.category, "rel") === "u") card.append(el("p", "note", "Few were recorded, so this rate is unreliable: it would swing by chance alone."));
  const unplaced = cell(scene.level, i, scene.period, scene.category, "u");
  if (typeof unplaced === "number" && unplaced > 0) card.append(el("p", "note", whole(unplaced) + " of these have no place more exact than the " + level.one + "."));
  visitorsPart(card, scene, i);
  countsNote(card);
}

function factsPart(card, scene, i) {
  const get = (key) => cell(scene.level, i, scene.period, scene.category, key);
  const n = rangeOf(scene.level, i, scene.period, scene.category, "n");
  if (!n || n === NOT_OFFERED) return;
  const facts = el("dl", "facts");
  const ranked = Object.assign({}, scene, { measure: "rate" });
  const rank = rankOf(ranked, i);
  const all = LEVELS.region ? rateEnds(Object.assign({}, scene, { level: "region" }), 0) : null;
  const rate = rateEnds(scene, i);
  if (rank) {
    const of = "of " + rank.of + (rank.of < LEVELS[scene.level].covered.filter(Boolean).length ? " with a rate" : "");
    const spread = rank.worst > rank.best ? of + ", range " + rank.best + "\u2013" + rank.worst : of;
    facts.append(fact("Rank by rate", (rank.joint ? "joint " : "") + ordinal(rank.rank), spread));
  } else if (rate) {
    facts.append(fact("Per 10,000", rangeText(...rate, rateText), all ? (INFO.region || "All") + " " + rangeText(...all, rateText) : ""));
  }
  facts.append(fact("Recorded", capital(countText(n))));
  const word = get("cw"), change = get("c");
  if (word in CHANGE_CLASSES) {
    const size = CHANGE_CLASSES[word] && typeof change === "number" ? sizeText(change) : "";
    facts.append(fact("On year before", capital(changeFigure(CHANGE_CLASSES[word])), size));
  }
  for (const value of facts.querySelectorAll("dd")) if (value.firstChild.textContent.length > 8) value.classList.add("long");
  card.append(facts);
}

function changePart(card, scene, i) {
  const word = cell(scene.level, i, scene.period, scene.category, "cw");
  const against = cell(scene.level, i, scene.period, scene.category, "cr");
  const steps = INFO.step > 1 ? "the steps of the counts, or chance, could explain the difference" : "chance alone could explain the difference";
  const said = {
    h: "Clearly higher than in " + changeAgainst() + ", by more than chance explains",
    l: "Clearly lower than in " + changeAgainst() + ", by more than chance explains",
    n: "No clear change since " + changeAgainst() + ": " + steps,
    f: "Too few to say whether it changed",
    c: "Not comparable with the period before: the recording system changed",
  }[word];
  if (!said) return;
  const beside = { h: " The rise is clearer than in " + INFO.region + " as a whole.", l: " The fall is clearer than in " + INFO.region + " as a whole." }[against];
  card.append(el("p", "line", said + "." + (beside && INFO.region ? beside : "")));
}

function outcomeLine(card, scene, i) {
  if (INFO.outcomes === "none") return;
  const get = (key) => cell(scene.level, i, scene.period, scene.category, key);
  const share = shareEnds(scene, i), positive = rangeOf(scene.level, i, scene.period, scene.category, "o");
  if (!share) return;
  const line = el("p", "line");
  if (isFlow()) add(line, bold(rangeText(...share, rateText)), " positive outcomes were recorded for every 100 " + INFO.noun + " recorded in the same time.");
  else {
    add(line, bold(capital(shareRange(...share))), " had a positive outcome");
    if (positive && positive !== NOT_OFFERED) add(line, " (" + countText(positive) + ")");
    if (typeof get("sl") === "number") add(line, (INFO.step > 1 ? "; with chance, " : "; 95% range ") + Math.round(get("sl") * 100) + "\u2013" + Math.round(get("sh") * 100) + "%");
    add(line, ".");
  }
  card.append(line);
}

function clusterLine(card, scene, i) {
  const klass = cell(scene.level, i, scene.period, scene.category, "g");
  const history = cell(scene.level, i, scene.period, scene.category, "e");
  const parts = [];
  if (typeof klass === "number" && klass !== 0) parts.push("With its neighbours it stands out as " + significanceWord(klass) + ".");
  if (typeof history === "string" && history !== NOT_OFFERED && history !== "no pattern") parts.push("Its history: " + isolate(history) + " hot spot.");
  if (parts.length) card.append(el("p", "line", parts.join(" ")));
}

function barsPart(card, scene, i) {
  const get = (key) => cell(scene.level, i, scene.period, scene.category, key);
  const rate = rateEnds(scene, i);
  if (!rate || rate[1] === 0) return;
  const range = typeof get("lo") === "number" && typeof get("hi") === "number" ? [get("lo"), get("hi")] : null;
  const bar = (name, ends, whisker) => ({ name, ends, range: whisker, text: rangeText(...ends, rateText) });
  const rows = [bar(LEVELS[scene.level].name[i], rate, range)];
  const parent = parentOf(scene.level, i);
  for (const [level, k] of [parent && parent[0] !== "region" ? parent : null, LEVELS.region ? ["region", 0] : null].filter(Boolean)) {
    const ends = rateEnds(Object.assign({}, scene, { level }), k);
    if (ends) rows.push(bar(level === "region" ? INFO.region || "All" : LEVELS[level].name[k], ends, null));
  }
  const chance = range ? "thin line: " + (INFO.step > 1 ? "with chance, " : "95% range ") + rateText(range[0]) + "\u2013" + rateText(range[1]) : "";
  card.append(subhead("Per 10,000 residents", chance));
  card.append(compareBars(rows));
}

/* The kind of window a series is drawn in: the chosen one if it has at least three, else the one with most. */
function seriesKind(levelId) {
  const kind = periodOf(levelId, state.period) ? periodOf(levelId, state.period).kind : "y";
  if (seriesOf(levelId, kind).length >= 3) return kind;
  return kindsOf(levelId).sort((a, b) => seriesOf(levelId, b).length - seriesOf(levelId, a).length)[0];
}

function trendPart(card, scene, i) {
  const levelId = i === null ? "region" : scene.level;
  const source = i === null ? scene.level : levelId;
  const kind = seriesKind(source);
  const periods = seriesOf(source, kind);
  if (periods.length < 2) return;
  const key = scene.measure === "count" || scene.mode === "density" ? "n" : scene.measure === "outcomes" ? "s" : "r";
  const text = ([low, high]) => (key === "n" ? countText({ lower: low, upper: high }) : key === "s" ? shareRange(low, high) : rangeText(low, high, rateText));
  // A window that the data covers in part is a gap, not a fall.
  const endsOf = (level, k) => periods.map((p) => {
    if (!p.complete) return null;
    const at = { level, period: p.id, category: scene.category };
    if (key !== "n") return key === "s" ? shareEnds(at, k) : rateEnds(at, k);
    const range = rangeOf(level, k, p.id, scene.category, "n");
    return range && range !== NOT_OFFERED ? [range.lower, range.upper] : null;
  });
  const own = endsOf(levelId, i === null ? 0 : i);
  const all = LEVELS.region ? endsOf("region", 0) : [];
  const lines = [{ name: "", values: own }];
  if (i !== null && key !== "n" && all.some((v) => v !== null)) lines.unshift({ name: INFO.region || "All", values: all });
  const numbers = own.filter((v) => v !== null);
  if (!numbers.length) return;
  const what = { n: "Recorded", r: "Rate", s: "Outcomes" }[key];
  const each = { y: "each point is 12 months", q: "each point is a quarter", m: "each point is a month" }[kind];
  card.append(subhead(what + " over time", isWide(own) ? each.replace("point", "bar") + ", from least to most" : each));
  const label = what + " over " + periods.length + " periods: first " + text(numbers[0]) + ", last " + text(numbers[numbers.length - 1]) +
    breaksAt(periods).map((b) => "; " + b.text + ", " + shortDate(b.month)).join("");
  card.append(trend({ periods, lines, chosen: periods.findIndex((p) => p.id === state.period), text, label }));
  for (const b of breaksAt(periods)) card.append(el("p", "note tight", "Dashed line: " + isolate(b.text) + ", " + shortDate(b.month) + ". Do not compare across it."));
}

function visitorsPart(card, scene, i) {
  const rate = rateEnds(scene, i);
  const all = regional(scene.period, scene.category, "r");
  if (!rate || !all || rate[0] < 3.5 * all) return;
  card.append(add(el("div", "notice"), icon("i-info"), el("p", "", "Far above the rest: where few people live and many visit, work or travel through, a rate per resident overstates the risk to any one person.")));
}
