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
  if (scene.mode === "areas" && !(PUBLIC && scene.level === "ward")) topFive(card, scene);
  if (!paper) card.append(el("p", "note", "Select an area on the map, in the table or by name to see its figures here."));
}

/* The region has the same windows as the level on the map where the release gives them. */
function regionSentence(own) {
  const window = periodOf(state.level, own.period);
  const n = cell("region", 0, own.period, own.category, "n");
  if (typeof n !== "number" || !window) return el("p", "say", "No total is given for this period.");
  const line = el("p", "say");
  const which = own.category === CATEGORIES[0].id ? "" : " (" + categoryOf(own.category).label + ")";
  add(line, bold(counted(n) + which), " were recorded " + inPeriod(window));
  const rate = cell("region", 0, own.period, own.category, "r");
  if (typeof rate === "number") add(line, ", " + rateText(rate) + " for every 10,000 residents");
  const change = cell("region", 0, own.period, own.category, "c");
  if (typeof change === "number") add(line, ", ", bold(changeWords(change)), " in " + changeAgainst());
  return add(line, ".");
}

function topFive(card, scene) {
  const rows = LEVELS[scene.level].code.map((_, i) => [valueOf(scene, i), i]).filter(([v]) => v.state === "ok");
  if (!rows.length || scene.measure === "significance") return;
  rows.sort((a, b) => b[0].value - a[0].value || a[1] - b[1]);
  const titles = { rate: "Highest rates", count: "Most recorded", change: "Largest rises", outcomes: "Highest shares" };
  card.append(subhead(titles[scene.measure], levelWord(scene.level, true)));
  const list = el("ol", "top");
  for (const [found, i] of rows.slice(0, 5)) {
    const swatch = el("i", scene.measure === "count" ? "swatch round" : "swatch");
    swatch.style.background = scene.measure === "count" ? palette.dot : fillOf(scene, i);
    const label = nameEl("span", "", LEVELS[scene.level].name[i] + " ");
    if (scene.level === "ward") label.append(nameEl("small", "", parentName("ward", i)));
    const row = button("", undefined, () => chooseArea(i, true));
    list.append(add(el("li"), add(row, swatch, label, el("b", "", figure(scene.measure, found.value)))));
  }
  card.append(list);
}

function areaCard(card, i, paper) {
  const scene = mainScene();
  const level = LEVELS[scene.level];
  const above = scene.level === "ward" ? parentName("ward", i) : capital(level.one);
  cardHead(card, level.name[i], [above, peopleText(scene.level, i)].filter(Boolean).join(" \u00b7 "), paper);
  card.append(sentence(scene, i));
  if (!level.covered[i]) return;
  factsPart(card, scene, i);
  changePart(card, scene, i);
  outcomeLine(card, scene, i);
  clusterLine(card, scene, i);
  barsPart(card, scene, i);
  trendPart(card, scene, i);
  if (cell(scene.level, i, scene.period, scene.category, "rel") === "u") card.append(el("p", "note", "Fewer than 20 were recorded, so this rate is unreliable: it would swing by chance alone."));
  const unplaced = cell(scene.level, i, scene.period, scene.category, "u");
  if (typeof unplaced === "number" && unplaced > 0) card.append(el("p", "note", whole(unplaced) + " of these have no place more exact than the " + level.one + "."));
  visitorsPart(card, scene, i);
}

function factsPart(card, scene, i) {
  const get = (key) => cell(scene.level, i, scene.period, scene.category, key);
  const n = get("n");
  if (typeof n !== "number") return;
  const facts = el("dl", "facts");
  const ranked = Object.assign({}, scene, { measure: "rate" });
  const rank = rankOf(ranked, i);
  const rate = get("r"), all = regional(scene.period, scene.category, "r");
  if (rank) {
    const spread = rank.worst > rank.best ? "of " + rank.of + ", range " + rank.best + "\u2013" + rank.worst : "of " + rank.of;
    facts.append(fact("Rank by rate", ordinal(rank.rank), spread));
  } else if (typeof rate === "number") {
    facts.append(fact("Per 10,000", rateText(rate), all ? (INFO.region || "All") + " " + rateText(all) : ""));
  }
  facts.append(fact("Recorded", whole(n)));
  const change = get("c");
  if (typeof change === "number") facts.append(fact("On year before", signed(change)));
  card.append(facts);
}

function changePart(card, scene, i) {
  const word = cell(scene.level, i, scene.period, scene.category, "cw");
  const against = cell(scene.level, i, scene.period, scene.category, "cr");
  const said = {
    h: "Higher than in " + changeAgainst() + ", by more than chance explains",
    l: "Lower than in " + changeAgainst() + ", by more than chance explains",
    n: "No clear change since " + changeAgainst() + ": chance alone could explain the difference",
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
  const share = get("s"), positive = get("o");
  if (typeof share !== "number") return;
  const line = el("p", "line");
  if (isFlow()) add(line, bold(rateText(share)), " positive outcomes were recorded for every 100 " + INFO.noun + " recorded in the same time.");
  else {
    add(line, bold(shareText(share)), " had a positive outcome");
    if (typeof positive === "number") add(line, " (" + whole(positive) + ")");
    if (typeof get("sl") === "number") add(line, "; 95% range " + Math.round(get("sl") * 100) + "\u2013" + Math.round(get("sh") * 100) + "%");
    add(line, ".");
  }
  card.append(line);
}

function clusterLine(card, scene, i) {
  const klass = cell(scene.level, i, scene.period, scene.category, "g");
  const history = cell(scene.level, i, scene.period, scene.category, "e");
  const parts = [];
  if (typeof klass === "number" && klass !== 0) parts.push("With its neighbours it stands out as " + significanceWord(klass) + ".");
  if (typeof history === "string" && history !== WITHHELD && history !== "no pattern") parts.push("Its history: " + isolate(history) + " hot spot.");
  if (parts.length) card.append(el("p", "line", parts.join(" ")));
}

function barsPart(card, scene, i) {
  const get = (key) => cell(scene.level, i, scene.period, scene.category, key);
  const rate = get("r");
  if (typeof rate !== "number" || rate === 0) return;
  const range = typeof get("lo") === "number" && typeof get("hi") === "number" ? [get("lo"), get("hi")] : null;
  const rows = [{ name: LEVELS[scene.level].name[i], value: rate, range, text: rateText(rate) }];
  const parent = parentOf(scene.level, i);
  if (parent && parent[0] !== "region") {
    const above = cell(parent[0], parent[1], scene.period, scene.category, "r");
    if (typeof above === "number") rows.push({ name: LEVELS[parent[0]].name[parent[1]], value: above, text: rateText(above) });
  }
  const all = regional(scene.period, scene.category, "r");
  if (all !== null) rows.push({ name: INFO.region || "All", value: all, text: rateText(all) });
  card.append(subhead("Per 10,000 residents", range ? "thin line: 95% range " + rateText(range[0]) + "\u2013" + rateText(range[1]) : ""));
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
  const text = key === "n" ? whole : key === "s" ? shareText : rateText;
  // A window that the data covers in part is a gap in the line, not a fall.
  const own = periods.map((p) => (p.complete ? cell(levelId, i === null ? 0 : i, p.id, scene.category, key) : null));
  const all = periods.map((p) => (p.complete ? regional(p.id, scene.category, key) : null));
  const lines = [{ name: "", values: own }];
  if (i !== null && key !== "n" && all.some((v) => v !== null)) lines.unshift({ name: INFO.region || "All", values: all });
  const numbers = own.filter((v) => typeof v === "number");
  if (!numbers.length) return;
  const what = { n: "Recorded", r: "Rate", s: "Outcomes" }[key];
  const each = { y: "each point is 12 months", q: "each point is a quarter", m: "each point is a month" }[kind];
  card.append(subhead(what + " over time", each));
  const label = what + " over " + periods.length + " periods, from " + text(numbers[0]) + " to " + text(numbers[numbers.length - 1]) +
    breaksAt(periods).map((b) => "; " + b.text + ", " + shortDate(b.month)).join("");
  card.append(trend({ periods, lines, chosen: periods.findIndex((p) => p.id === state.period), text, label }));
  for (const b of breaksAt(periods)) card.append(el("p", "note tight", "Dashed line: " + isolate(b.text) + ", " + shortDate(b.month) + ". Do not compare across it."));
}

function visitorsPart(card, scene, i) {
  const rate = cell(scene.level, i, scene.period, scene.category, "r");
  const all = regional(scene.period, scene.category, "r");
  if (typeof rate !== "number" || !all || rate < 3.5 * all) return;
  card.append(add(el("div", "notice"), icon("i-info"), el("p", "", "Far above the rest: where few people live and many visit, work or travel through, a rate per resident overstates the risk to any one person.")));
}
