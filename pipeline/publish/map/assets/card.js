// @ts-check
/* The card of the chosen area, or of the whole region when none is chosen, with its small charts; the list of hotspots.

   Exports `drawCard`, `fillCard`, `drawHotspotList`, `fillHotspots`, and `breaksAt` for the bars of the periods. */

import { capital, clip, countText, isolate, ordinal, say, shortDate, whole } from "./words.js";
import {
  CATEGORIES, HOTSPOTS, INFO, LEVELS, categoryOf, cell, kindsOf, offeredRange, parentName, parentOf, rangeOf, regional, seriesOf,
} from "./data.js";
import { NOT_OFFERED } from "./fields.js";
import {
  CHANGE_CLASSES, act, funnelOf, isDetailed, isPublic, kindOf, mainScene, rankOf, rankValue, rateEnds, regionalRateEnds,
  shareEnds, sorted, spotsOf, state, valueOf, wardsOf,
} from "./model.js";
import {
  areaSentence, changeAgainst, changeFigure, changeSentence, clusterSentence, figure, intervalText, levelWord,
  outcomeSentence, outcomeText, rateRangeText, regionName, regionSentence, regionShort, seriesNote, sizeText,
  spotAmount, spotNote, withinChance,
} from "./sentences.js";
import { add, button, byId, el, fillOf, icon, nameEl, nodesOf, palette, svgEl } from "./page.js";

/** @import { PeriodFields } from "./fields.js" */
/** @import { Hotspot } from "./data.js" */
/** @import { Scene } from "./model.js" */

export function drawCard() { fillCard(byId("pane-area"), { paper: false }); }

/** @param {HTMLElement} host @param {{paper: boolean}} options on paper there is nothing to press */
export function fillCard(host, { paper }) {
  host.textContent = "";
  const card = el("div", "card");
  host.append(card);
  if (state.area === null) regionCard(card, paper);
  else areaCard(card, state.area, paper);
}

/** @param {string} name @param {string} value @param {string} [small] @returns {HTMLElement} */
function fact(name, value, small) {
  const given = el("dd", "", value);
  if (small) add(given, " ", el("small", "", small));
  return add(el("div"), el("dt", "", name), given);
}

/** @param {string} text @param {string} [rest] @returns {HTMLElement} */
function subhead(text, rest) { return add(el("h3", "h3", text + " "), el("span", "", rest ? "\u00b7 " + rest : "")); }

/** @param {string} levelId @param {number} i @returns {string} */
function peopleText(levelId, i) {
  const people = LEVELS[levelId].people[i];
  return people ? say("map.card.residents", { n: people }) : "";
}

/** @param {HTMLElement} card @param {string} name @param {string} below @param {boolean} paper */
function cardHead(card, name, below, paper) {
  const head = el("header"), words = el("div");
  add(words, nameEl("h2", "", name), below ? nameEl("p", "of", below) : "");
  head.append(words);
  if (!paper && state.area !== null) {
    const close = button("iconbutton", undefined, () => { act.chooseArea(null); byId("tab-area").focus(); });
    close.setAttribute("aria-label", say("map.card.clear"));
    close.append(icon("i-close"));
    head.append(close);
  }
  card.append(head);
}

/** @param {HTMLElement} card @param {boolean} paper */
function regionCard(card, paper) {
  const scene = mainScene();
  cardHead(card, regionName(), LEVELS.region ? peopleText("region", 0) : "", paper);
  if (LEVELS.region) {
    card.append(add(el("p", "say"), ...nodesOf(regionSentence(state.level, scene))));
    if (scene.measure === "outcomes") outcomeLine(card, { ...scene, level: "region" }, 0);
    trendPart(card, scene, null);
  }
  if (scene.mode === "areas" && !(isPublic() && isDetailed(scene.level))) topFive(card, scene);
  if (!paper) card.append(el("p", "note", say("map.card.select_hint")));
  if (!paper && LEVELS.region) briefingLink(card, "region", 0);
  countsNote(card);
}

/** The briefing on an area, or on the borough that it lies in, in a folder that has one.
 * @param {HTMLElement} card @param {string} levelId @param {number} i */
function briefingLink(card, levelId, i) {
  const [id, k] = (isDetailed(levelId) && parentOf(levelId, i)) || [levelId, i];
  const address = (LEVELS[id].briefing || [])[k];
  if (!address) return;
  const link = nameEl("a", "briefing", say("map.card.briefing", { name: LEVELS[id].name[k] }));
  link.setAttribute("href", address);
  card.append(link);
}

/** How counts are given, at the foot of every card of a release. @param {HTMLElement} card */
function countsNote(card) { if (INFO.counts) card.append(el("p", "note", INFO.counts)); }

/** The five highest: by the least that counts may be, and of changes only those that were called.
 * @param {HTMLElement} card @param {Scene} scene */
function topFive(card, scene) {
  if (scene.measure === "significance") return;
  const change = scene.measure === "change";
  const order = (/** @type {number} */ i) => Number(change ? cell(scene.level, i, scene.period, scene.category, "c") : rankValue(scene, i));
  const held = LEVELS[scene.level].code.map((_, i) => i).filter((i) => {
    const found = valueOf(scene, i);
    return found.state === "ok" && (!change || Number(found.value) > 0);
  });
  const rows = sorted(held, order, -1);
  if (!rows.length && !change) return;
  card.append(subhead(say("map.card.top." + scene.measure), levelWord(scene.level, true)));
  if (!rows.length) { card.append(el("p", "note tight", say("map.card.none_higher", { earlier: changeAgainst(scene) }))); return; }
  const list = el("ol", "top");
  for (const i of rows.slice(0, 5)) {
    const swatch = el("i", scene.measure === "count" ? "swatch round" : "swatch");
    swatch.style.background = scene.measure === "count" ? palette.dot : fillOf(scene, i);
    const label = nameEl("span", "", LEVELS[scene.level].name[i] + " ");
    const parent = parentName(scene.level, i);
    if (parent) label.append(nameEl("small", "", parent));
    const row = button("", undefined, () => act.chooseArea(i, true));
    const size = cell(scene.level, i, scene.period, scene.category, "c");
    const text = !change ? figure(scene, i) : typeof size === "number" ? sizeText(size) : "";
    list.append(add(el("li"), add(row, swatch, label, el("b", "", text))));
  }
  card.append(list);
}

/** @param {HTMLElement} card @param {number} i @param {boolean} paper */
function areaCard(card, i, paper) {
  const scene = mainScene();
  const level = LEVELS[scene.level];
  const what = isDetailed(scene.level) ? "" : capital(level.one);
  cardHead(card, level.name[i], [what, parentName(scene.level, i), peopleText(scene.level, i)].filter(Boolean).join(" \u00b7 "), paper);
  card.append(add(el("p", "say"), ...nodesOf(areaSentence(scene, i))));
  if (scene.level === "ward_group") {
    const values = { levels: capital(levelWord("ward", true)), names: wardsOf(scene.level, i).join(", ") };
    card.append(nameEl("p", "note", say("map.card.in_group", values)));
  }
  if (!level.covered[i]) return;
  factsPart(card, scene, i);
  const change = changeSentence(scene, i), cluster = clusterSentence(scene, i);
  if (change) card.append(el("p", "line", change));
  outcomeLine(card, scene, i);
  if (cluster) card.append(el("p", "line", cluster));
  barsPart(card, scene, i);
  categoriesPart(card, scene, i);
  trendPart(card, scene, i);
  if (cell(scene.level, i, scene.period, scene.category, "rel") === "u") card.append(el("p", "note", say("map.card.unreliable")));
  const unplaced = cell(scene.level, i, scene.period, scene.category, "u");
  if (typeof unplaced === "number" && unplaced > 0) card.append(el("p", "note", say("map.card.unplaced", { n: unplaced, level: level.one })));
  visitorsPart(card, scene, i);
  if (!paper) briefingLink(card, scene.level, i);
  countsNote(card);
}

/** @param {HTMLElement} card @param {Scene} scene @param {number} i */
function factsPart(card, scene, i) {
  const n = offeredRange(scene.level, i, scene.period, scene.category, "n");
  if (!n) return;
  const facts = el("dl", "facts");
  const rank = rankOf({ ...scene, measure: "rate" }, i);
  const rate = rateEnds(scene, i), all = regionalRateEnds(scene);
  // A range over all places says nothing about this one.
  if (rank && (rank.best > 1 || rank.worst < rank.of)) {
    const part = rank.of < LEVELS[scene.level].covered.filter(Boolean).length;
    const of = say(part ? "map.card.rank_of_rated" : "map.card.rank_of", { peers: rank.of });
    const spread = rank.worst > rank.best ? say("map.card.rank_range", { of, best: rank.best, worst: rank.worst }) : of;
    const place = rank.joint ? say("map.card.rank_joint", { rank: ordinal(rank.rank) }) : ordinal(rank.rank);
    facts.append(fact(say("map.card.rank_by_rate"), place, spread));
  } else if (rate) {
    facts.append(fact(say("map.table.rate"), rateRangeText(rate), all ? regionShort() + " " + rateRangeText(all) : ""));
  }
  facts.append(fact(say("map.table.count"), capital(countText(n))));
  const word = cell(scene.level, i, scene.period, scene.category, "cw"), change = cell(scene.level, i, scene.period, scene.category, "c");
  if (typeof word === "string" && word in CHANGE_CLASSES) {
    const size = typeof change !== "number" ? "" : CHANGE_CLASSES[word] ? sizeText(change) : withinChance(change);
    facts.append(fact(say("map.card.change_on", { earlier: changeAgainst(scene) }), capital(changeFigure(CHANGE_CLASSES[word])), size));
  }
  for (const value of facts.querySelectorAll("dd")) if (value.firstChild && (value.firstChild.textContent || "").length > 8) value.classList.add("long");
  card.append(facts);
}

/** What was recorded in the chosen period, category by category, in the order of the release: a rank would say more than
 * ranges do. Categories that this level does not give are left out.
 * @param {HTMLElement} card @param {Scene} scene @param {number} i */
function categoriesPart(card, scene, i) {
  const list = el("dl", "strands"), strands = CATEGORIES.filter((c) => c.id !== "all");
  let given = false;
  for (const category of strands) {
    const range = rangeOf(scene.level, i, scene.period, category.id, "n");
    if (!range) continue;
    const text = range === NOT_OFFERED ? say("common.not_offered") : countText(range);
    given = given || range !== NOT_OFFERED;
    list.append(add(el("div", strands.some((c) => c.id === category.parent) ? "nested" : ""), nameEl("dt", "", category.label), el("dd", "", text)));
  }
  if (!given || list.children.length < 2) return;
  card.append(subhead(say("map.card.by_category"), ""), list, el("p", "note tight", say("map.card.categories_overlap")));
}

/** @param {HTMLElement} card @param {Scene} scene @param {number} i */
function outcomeLine(card, scene, i) {
  const segments = outcomeSentence(scene, i);
  if (segments.length) card.append(add(el("p", "line"), ...nodesOf(segments)));
}

/** @param {HTMLElement} card @param {Scene} scene @param {number} i */
function barsPart(card, scene, i) {
  const rate = rateEnds(scene, i);
  if (!rate || rate[1] === 0) return;
  const low = cell(scene.level, i, scene.period, scene.category, "lo"), high = cell(scene.level, i, scene.period, scene.category, "hi");
  /** @type {[number, number] | null} */
  const range = typeof low === "number" && typeof high === "number" ? [low, high] : null;
  /** @type {Bar[]} */
  const rows = [{ name: LEVELS[scene.level].name[i], ends: rate, range, text: rateRangeText(rate) }];
  const parent = parentOf(scene.level, i);
  /** @type {[string, number][]} */
  const above = [];
  if (parent && parent[0] !== "region") above.push(parent);
  if (LEVELS.region) above.push(["region", 0]);
  for (const [level, k] of above) {
    const ends = rateEnds({ ...scene, level }, k);
    if (ends) rows.push({ name: level === "region" ? regionShort() : LEVELS[level].name[k], ends, range: null, text: rateRangeText(ends) });
  }
  card.append(subhead(say("map.card.per_10000_people", { base: categoryOf(scene.category).base }), range ? intervalText(...range) : ""));
  card.append(compareBars(rows));
  const funnel = funnelOf(scene, i);
  if (funnel) card.append(el("p", "note tight", say("map.funnel.sentence." + funnel, { region: regionShort() })));
}

/** The kind of window a series is drawn in: the chosen one if it has at least three, else the one with most.
 * @param {string} levelId @returns {string} */
function seriesKind(levelId) {
  const kind = kindOf({ level: levelId, period: state.period });
  if (seriesOf(levelId, kind).length >= 3) return kind;
  return kindsOf(levelId).sort((a, b) => seriesOf(levelId, b).length - seriesOf(levelId, a).length)[0];
}

/** @param {HTMLElement} card @param {Scene} scene @param {number | null} i null for the whole region */
function trendPart(card, scene, i) {
  const levelId = i === null ? "region" : scene.level;
  const source = i === null ? scene.level : levelId;
  const kind = seriesKind(source);
  const periods = seriesOf(source, kind);
  if (periods.length < 2) return;
  const key = scene.measure === "count" || scene.mode === "density" ? "n" : scene.measure === "outcomes" ? "s" : "r";
  /** @param {[number, number]} ends */
  const text = (ends) => (key === "n" ? countText({ lower: ends[0], upper: ends[1] }) : key === "s" ? outcomeText(ends) : rateRangeText(ends));
  /** A window that the data covers in part is a gap, not a fall.
   * @param {string} level @param {number} k @returns {Ends[]} */
  const endsOf = (level, k) => periods.map((p) => {
    if (!p.complete) return null;
    const at = { level, period: p.id, category: scene.category };
    if (key !== "n") return key === "s" ? shareEnds(at, k) : rateEnds(at, k);
    const range = offeredRange(level, k, p.id, scene.category, "n");
    return range ? [range.lower, range.upper] : null;
  });
  const own = endsOf(levelId, i === null ? 0 : i);
  const all = LEVELS.region ? endsOf("region", 0) : [];
  const lines = [{ name: "", values: own }];
  if (i !== null && key !== "n" && all.some((v) => v !== null)) lines.unshift({ name: regionShort(), values: all });
  const numbers = own.filter((v) => v !== null);
  if (!numbers.length) return;
  const measure = { n: "count", r: "rate", s: "outcomes" }[key];
  card.append(subhead(say("map.trend.title." + measure), seriesNote(periods, kind, isWide(own))));
  const breaks = breaksAt(periods);
  const label = [say("map.trend.label." + measure, { n: periods.length, first: text(numbers[0]), last: text(numbers[numbers.length - 1]) }),
    ...breaks.map((b) => say("map.breaks.when", { text: b.text, month: shortDate(b.month) }))].join("; ");
  card.append(trend({ periods, lines, chosen: periods.findIndex((p) => p.id === state.period), text, label }));
  for (const b of breaks) card.append(el("p", "note tight", say("map.trend.dashed", { text: isolate(b.text), month: shortDate(b.month) })));
}

/** @param {HTMLElement} card @param {Scene} scene @param {number} i */
function visitorsPart(card, scene, i) {
  const rate = rateEnds(scene, i);
  const all = regional(scene.period, scene.category, "r");
  if (!rate || !all || rate[0] < 3.5 * all) return;
  card.append(add(el("div", "notice"), icon("i-info"), el("p", "", say("map.card.visitors", { base: categoryOf(scene.category).base }))));
}

/* ---------- charts: what is known only to lie in a range is drawn from its least to its most ---------- */

/** @typedef {{name: string, ends: [number, number], range: [number, number] | null, text: string}} Bar */
/** @typedef {[number, number] | null} Ends */

/** @param {Bar[]} rows @returns {HTMLElement} bars with their interval */
function compareBars(rows) {
  const list = el("ul", "compare-bars");
  const most = Math.max(...rows.map((r) => Math.max(r.ends[1], r.range ? r.range[1] : 0)), 1e-9) * 1.02;
  const long = rows.some((r) => r.text.length > 5);
  if (long) list.classList.add("long");
  for (const row of rows) {
    const track = el("span", "track");
    /** @param {string} name @param {number} from @param {number} to */
    const part = (name, from, to) => {
      const bar = el("span", name);
      bar.style.left = (from / most) * 100 + "%";
      bar.style.width = ((to - from) / most) * 100 + "%";
      track.append(bar);
    };
    part("fill", 0, row.ends[0]);
    if (row.ends[1] > row.ends[0]) part("fill maybe", row.ends[0], row.ends[1]);
    if (row.range) part("whisker", row.range[0], row.range[1]);
    list.append(add(el("li"), nameEl("span", "", row.name), track, el("span", "v", row.text)));
  }
  return list;
}

/** Whether the ranges of a series are wide enough to be drawn as bars; else it is a line.
 * @param {Ends[]} values @returns {boolean} */
function isWide(values) {
  const most = Math.max(...values.map((v) => (v ? v[1] : 0)), 1e-9);
  return values.some((v) => v !== null && v[1] - v[0] > 0.03 * most);
}

/** Ranges [least, most] over the windows of one kind, null where there is none. Narrow ones are a line, which stops where
 * a number is missing and is only dotted across a break; wide ones are bars from least to most, on no line.
 * @param {{periods: PeriodFields[], lines: {name: string, values: Ends[]}[], chosen: number, text: (ends: [number, number]) => string, label: string}} series
 * @returns {SVGElement} */
function trend({ periods, lines, chosen, text, label }) {
  const named = lines.map((line, n) => (n === lines.length - 1 ? "" : clip(line.name, 8) + " "));
  /** @param {{values: Ends[]}} line */
  const lastOf = (line) => line.values.filter((v) => v !== null).pop();
  const widest = Math.max(...lines.map((line, n) => { const v = lastOf(line); return v ? (named[n] + text(v)).length : 0; }));
  const W = 308, H = 74, top = 14, base = 18, right = Math.max(52, 12 + 6.4 * widest);
  const left = lines.some((line) => isWide(line.values)) ? 9 : 2;
  const picture = svgEl("svg", { class: "trend", viewBox: "0 0 " + W + " " + H, preserveAspectRatio: "xMinYMid meet", role: "img", "aria-label": label });
  const numbers = lines.flatMap((l) => l.values).map((v) => (v ? v[1] : 0));
  const most = Math.max(...numbers, 1e-9) * 1.08;
  const X = (/** @type {number} */ k) => left + ((W - left - right) * k) / Math.max(1, periods.length - 1);
  const bar = Math.min(8, (0.72 * (W - left - right)) / Math.max(1, periods.length - 1));
  const Y = (/** @type {number} */ v) => top + (H - top - base) * (1 - v / most);
  picture.append(svgEl("line", { x1: left, x2: W - right, y1: Y(0), y2: Y(0), stroke: palette.rule }));
  const breaks = breaksAt(periods);
  const broken = (/** @type {number} */ k) => breaks.some((b) => b.position > k - 1 && b.position <= k);
  for (const at of breaks) {
    const x = X(at.position);
    picture.append(svgEl("line", { x1: x, x2: x, y1: top - 8, y2: Y(0), stroke: palette.ctl, "stroke-dasharray": "3 3" }));
  }
  for (const event of INFO.events) {
    const at = positionOf(periods, event.date);
    if (at === null) continue;
    const mark = svgEl("path", { d: "M" + X(at).toFixed(1) + " " + (top - 3) + "l-3.5 -6h7z", fill: palette["ink-3"] });
    const title = say("map.trend.event", { month: shortDate(event.date), event: event.label });
    picture.append(add(mark, svgEl("title", {}, title)));
  }
  /** @type {{y: number, text: string, main: boolean}[]} */
  const ends = [];
  lines.forEach((line, n) => {
    const main = n === lines.length - 1;
    const stroke = main ? palette.ink : palette["bar-hover"];
    const wide = isWide(line.values);
    let path = "", across = "", pen = false, before = "";
    line.values.forEach((v, k) => {
      if (!v) { pen = false; return; }
      if (wide) {
        const x = X(k) - bar / (main ? 2 : 4), tall = Math.max(2.4, Y(v[0]) - Y(v[1]));
        picture.append(svgEl("rect", {
          x: x.toFixed(1), y: (Y(v[1]) - (tall === 2.4 ? 1.2 : 0)).toFixed(1), width: (main ? bar : bar / 2).toFixed(1),
          height: tall.toFixed(1), fill: k === chosen || !main ? stroke : palette["bar-hover"],
        }));
        return;
      }
      const here = X(k).toFixed(1) + " " + Y((v[0] + v[1]) / 2).toFixed(1);
      if (pen && broken(k)) { across += "M" + before + "L" + here; pen = false; }
      path += (pen ? "L" : "M") + here;
      before = here;
      pen = true;
    });
    const drawn = { fill: "none", stroke, "stroke-linecap": "round" };
    if (across) picture.append(svgEl("path", { d: across, ...drawn, "stroke-width": 1.6, "stroke-dasharray": "0.1 4" }));
    if (path) picture.append(svgEl("path", { d: path, ...drawn, "stroke-width": main ? 2.2 : 1.6, "stroke-linejoin": "round" }));
    const last = lastOf(line);
    if (last) ends.push({ y: Y((last[0] + last[1]) / 2) + 4, text: named[n] + text(last), main });
  });
  ends.sort((a, b) => a.y - b.y);
  for (let k = 1; k < ends.length; k++) if (ends[k].y - ends[k - 1].y < 13) ends[k].y = ends[k - 1].y + 13;
  const over = ends.length ? ends[ends.length - 1].y - (H - base + 8) : 0;
  for (const end of ends) picture.append(svgEl("text", { x: W - right + 7, y: end.y - Math.max(0, over), class: end.main ? "end" : "" }, end.text));
  const own = lines[lines.length - 1].values, value = own[chosen];
  if (value && !isWide(own)) {
    const dot = { cx: X(chosen), cy: Y((value[0] + value[1]) / 2), r: 3.6, fill: palette.ink, stroke: palette.paper, "stroke-width": 1.5 };
    picture.append(svgEl("circle", dot));
  }
  picture.append(svgEl("text", { x: 0, y: H - 3 }, shortDate(periods[0].end)));
  picture.append(svgEl("text", { x: W - right, y: H - 3, "text-anchor": "end" }, shortDate(periods[periods.length - 1].end)));
  return picture;
}

/** @param {string} iso @returns {number} months since the year 0 */
function monthIndex(iso) { return Number(iso.slice(0, 4)) * 12 + Number(iso.slice(5, 7)) - 1; }

/** Position of a date between windows, in windows; null outside.
 * @param {PeriodFields[]} periods @param {string} iso @returns {number | null} */
export function positionOf(periods, iso) {
  if (periods.length < 2 || iso < periods[0].start || iso > periods[periods.length - 1].end) return null;
  const month = monthIndex(iso) + (iso.length > 7 ? Number(iso.slice(8, 10)) / 31 : 0);
  const middle = (/** @type {PeriodFields} */ p) => (monthIndex(p.start) + monthIndex(p.end) + 1) / 2;
  const first = middle(periods[0]), last = middle(periods[periods.length - 1]);
  return Math.min(periods.length - 1, Math.max(0, ((month - first) / (last - first)) * (periods.length - 1)));
}

/** Breaks of the series that fall within these windows.
 * @param {PeriodFields[]} periods @returns {{text: string, month: string, position: number}[]} */
export function breaksAt(periods) {
  return INFO.breaks.flatMap((b) => {
    const position = positionOf(periods, b.month + "-01");
    return position === null ? [] : [{ text: b.text, month: b.month, position }];
  });
}

/* ---------- the ranked list of hotspots ---------- */

export function drawHotspotList() { fillHotspots(byId("pane-hotspots"), 0, false); }

/** @param {HTMLElement} host @param {number} most 0 for all @param {boolean} paper */
export function fillHotspots(host, most, paper) {
  host.textContent = "";
  host.append(el("p", "note first", spotNote()));
  const list = el("ol", "spots");
  const shown = spotsOf(mainScene());
  shown.slice(0, most || shown.length).forEach((spot) => {
    const k = HOTSPOTS.indexOf(spot);
    const row = paper ? el("div", "spotrow") : button("spotrow", undefined, () => act.chooseHotspot(k, true));
    if (!paper) row.setAttribute("aria-pressed", String(state.hotspot === k));
    const size = spot.km2 === null ? "" : say("map.hotspots.size", { km2: spot.km2.toFixed(1) });
    add(row, el("span", "badge", String(spot.rank)), nameEl("span", "nm", spot.name), nameEl("span", "ct", spotAmount(spot)),
      nameEl("span", "bo", [spot.within.join(", "), size, spot.steady].filter(Boolean).join(" \u00b7 ")),
      el("span", "dn", spot.density === null ? "" : say("map.hotspots.density", { density: whole(spot.density) })));
    const item = add(el("li"), row);
    if (!paper && spot.cores.length) item.append(coreList(spot));
    if (!paper && spot.page && state.hotspot === k) item.append(pageLink(spot));
    list.append(item);
  });
  host.append(list);
}

/** The densest parts of a large hotspot. @param {Hotspot} spot @returns {HTMLElement} */
function coreList(spot) {
  const list = el("ol", "cores");
  list.setAttribute("aria-label", say("map.hotspots.cores", { rank: spot.rank }));
  for (const core of spot.cores) {
    list.append(add(el("li"), el("span", "no", core.number), nameEl("span", "", core.name), el("span", "", whole(core.n))));
  }
  return list;
}

/** The printed page of the chosen hotspot, in a folder that has one. @param {Hotspot} spot @returns {HTMLElement} */
function pageLink(spot) {
  const link = el("a", "spotpage", say("map.hotspots.page"));
  link.setAttribute("href", spot.page);
  return link;
}
