/* How to read the map, what it cannot tell, where to report: words that apply to this release and no others. */

function guideKey(list, patternId, text) {
  const picture = svgEl("svg", { "aria-hidden": "true", viewBox: "0 0 26 16" });
  picture.append(svgEl("rect", { x: 0.5, y: 0.5, width: 25, height: 15, fill: "url(#pt-" + patternId + ")", stroke: "currentColor", "stroke-opacity": 0.5 }));
  list.append(add(el("li"), picture, el("span", "", text)));
}

/* The states that occur somewhere. Other periods than the headline differ in what rates and counts they lack, no more. */
function statesPresent() {
  const seen = new Set();
  for (const id of MAPPED) for (const p of LEVELS[id].periods) for (const c of CATEGORIES) for (const m of SHOWN_MEASURES) {
    const scene = { level: id, mode: "areas", category: c.id, measure: m, period: p.id };
    if (!levelsOf(c.id).includes(id) || (p.id !== INFO.headline && m !== SHOWN_MEASURES[0])) continue;
    if (m !== "count" && m !== "rate" && !hasMeasure(scene)) continue;
    LEVELS[id].code.forEach((_, i) => seen.add(valueOf(scene, i).state));
    if (seen.size === 8) return seen;
  }
  return seen;
}

function drawGuide() {
  const host = byId("guide");
  host.textContent = "";
  const part = (title, ...texts) => { host.append(el("h3", "", title)); for (const t of texts) if (t) host.append(nameEl("p", "", t)); };
  part("What is counted", "Each number is of " + INFO.noun + " that were recorded" + (INFO.publisher ? " by: " + INFO.publisher : "") + ". Recorded is not the same as experienced: many are never reported.");
  if (LEVELS.ward_group) {
    part("Groups of " + levelWord("ward", true), "Where too few single " + levelWord("ward", true) + " would have a number, a category is given by groups of neighbouring " +
      levelWord("ward", true) + " of one " + levelWord("borough") + ", mostly 4 or 5, named after the one with most residents. Residents and borders alone decide which go together, never what was recorded.");
  }
  if (INFO.step > 1) {
    part("Counts in steps", INFO.counts, "\u201c" + capital(countText({ lower: 2 * INFO.step, upper: 3 * INFO.step - 1 })) + "\u201d means any one of these " + INFO.step +
      " numbers. \u201c" + capital(countText({ lower: 0, upper: INFO.step - 1 })) + "\u201d may be none; a map of numbers shows it as a ring. Parts need not add up to their total. Rates and shares are given in the range that follows from the steps; colours go by its middle.");
  } else if (INFO.counts) part("Counts", INFO.counts);
  part("Colour", "The stronger the colour stands out from the background, the higher the value. Class limits stay the same in every period, so that periods compare like with like.");
  const list = el("ul");
  const seen = statesPresent();
  if (seen.has("few")) guideKey(list, "few", "Too few for a reliable rate, share or comparison: it would swing by chance alone.");
  if (seen.has("notoffered")) guideKey(list, "notoffered", INFO.mechanism === "suppress" ? "Not offered. The number is small, or would give away another that is." : "Not offered. The number is left out to protect people.");
  if (seen.has("incomparable")) guideKey(list, "incomparable", "Not comparable: the recording system changed in between.");
  if (seen.has("nocover")) guideKey(list, "nocover", "Not covered by the source. Nothing is known, which is not the same as none.");
  if (seen.has("norate")) guideKey(list, "norate", "No resident rate: most people present live elsewhere, so dividing by residents would mislead.");
  if (seen.has("nodata")) guideKey(list, "nodata", "No data for this measure and period.");
  if (list.children.length) host.append(list);
  if (SHOWN_MEASURES.includes("rate")) part("Rates", "Rates divide by the people who live in an area. Where most people present live elsewhere, as in city centres and around stations, rates run high without the risk to each person being higher. The thin line beside a rate says how far chance could move it" + (INFO.step > 1 ? ", whatever the count in its step is." : " (95% range)."));
  if (SHOWN_MEASURES.includes("change")) part("Change", "Compared with " + changeAgainst() + ". \u201cClearly higher\u201d and \u201cclearly lower\u201d are said only where chance is an unlikely explanation" + (INFO.step > 1 ? ", for every pair of counts inside the two steps." : "."));
  if (SHOWN_MEASURES.includes("significance")) part("Clusters", "Areas that, together with their neighbours, have rates that stand out at 90, 95 or 99% confidence, after allowing for the number of areas tested.");
  if (INFO.outcomes === "cohort") part("Outcomes", "The share of what was recorded in the period that has had a positive outcome so far. Recent offences have had less time.");
  if (INFO.outcomes === "flow") part("Outcomes", "Positive outcomes recorded in the period for every 100 recorded in the same period. They are not the same cases: the figure can pass 100.");
  part("Hotspots", spotNote());
  part("Density", BANDS.length ? "Read it like a relief map: stronger bands hold more per square kilometre. It covers " + INFO.headlineNamed + ". " + INFO.densityNote : INFO.densityNote || "There is no density surface in this release.");
  if (CATEGORIES.length > 1) part("Categories overlap", "One offence can fall in several categories. Do not add them together.");
  if (INFO.outside) part("Counted apart", INFO.outside.join(", ") + ": part of no total, hotspot or density of all " + INFO.noun + ".");
  for (const b of INFO.breaks) part("Break in the series: " + shortDate(b.month), isolate(b.text) + ". Do not compare figures across it.");
  part("What it cannot tell you", ...INFO.wording, "It cannot say who did it, who will do it next, or how safe you are. It cannot show what was never reported.");
  if (INFO.synthetic) part("Synthetic data", INFO.synthetic);
  part("Outlines", "Simplified for display; use the layers in this folder for measurements.");
  part("Sources", INFO.publisher, INFO.licence);
  part("Keyboard", "Tab moves between controls. On the map, arrows move, plus and minus zoom, and Enter chooses the area under the cross.");
}

function drawCare() {
  const list = byId("care-list");
  list.textContent = "";
  const counts = INFO.counts ? [INFO.counts] : [];
  const breaks = INFO.breaks.map((b) => isolate(b.text) + " (" + shortDate(b.month) + "): do not compare across it.");
  for (const text of [...(INFO.synthetic ? [INFO.synthetic] : []), ...INFO.wording, ...breaks, ...counts, ...INFO.caveats]) list.append(nameEl("li", "", text));
  const rows = byId("support-list");
  rows.textContent = "";
  for (const [text, contact] of INFO.support) add(rows, nameEl("dt", "", text), nameEl("dd", "", contact));
  if (!INFO.support.length) add(rows, el("dt", "", "In an emergency"), el("dd", "", "Call the emergency number."));
}
