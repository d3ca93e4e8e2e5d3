/* Titles, what never changes, and the one notice that may stand under the controls. */

function drawTitles() {
  const scene = mainScene();
  const window = periodOf(scene.level, scene.period);
  const heading = headingOf(scene);
  byId("heading").textContent = isolate(heading);
  byId("subtitle").textContent = capital(window ? window.label : "") + (scene.mode === "density" ? "" : ", by " + levelWord(scene.level)) + (INFO.insideNote ? ". " + INFO.insideNote : "");
  document.title = heading + ", " + (INFO.region || INFO.place) + ", " + (window ? window.label : "");
  const i = state.area;
  byId("peek-name").textContent = i === null ? INFO.region || "All areas" : LEVELS[scene.level].name[i];
  byId("peek-name").dir = "auto";
  const total = regionalRange(scene.period, scene.category);
  byId("peek-value").textContent = i === null ? (total === null ? "" : capital(counted(total))) : valueText(scene, i);
  byId("peek-say").textContent = i === null ? "Tap an area to see its figures." : sentence(scene, i).textContent;
}

function drawStatics() {
  byId("place").textContent = isolate(INFO.place);
  byId("synthetic").hidden = !INFO.synthetic;
  byId("marking").hidden = !INFO.marking;
  byId("marking").textContent = isolate(INFO.marking);
  byId("banner").hidden = !INFO.audit;
  byId("banner").textContent = INFO.audit;
  const year = MAPPED.map((id) => LEVELS[id].year).find(Boolean);
  byId("source").textContent = [isolate(INFO.publisher), year && !/resident|population/i.test(INFO.publisher) && SHOWN_MEASURES.includes("rate") ? "Population of " + year : ""].filter(Boolean).join(". ").replace(/\.\. /g, ". ");
  byId("hotspot-count").textContent = HOTSPOTS.length ? String(HOTSPOTS.length) : "";
  byId("check-hot").hidden = !HOTSPOTS.length;
  byId("credit").hidden = !INFO.credit || TILES_ASK;
  byId("credit").textContent = INFO.credit;
  drawCare();
}

function noticeFor() {
  const scene = mainScene();
  const level = LEVELS[scene.level];
  if (tilesFailed) return { text: "The background map could not be loaded. Everything else works without it." };
  if (scene.mode === "density" && !bandsOf(scene.category).length) {
    const first = DENSITY_CATEGORIES[0];
    return { text: "There is no density surface for " + categoryOf(scene.category).label + ".", action: "Show " + categoryOf(first).label, run: () => { state.category = first; redraw(); } };
  }
  if (scene.mode === "density") return null;
  const rows = level.code.map((_, i) => valueOf(scene, i).state);
  const missing = rows.filter((s) => s === "notoffered" || s === "few").length;
  if (!rows.includes("ok") && !rows.includes("first")) {
    const with_ = level.periods.slice().reverse().find((p) => hasMeasure(Object.assign({}, scene, { period: p.id })) && p.id !== scene.period);
    const what = { change: "Change", significance: "Clusters", outcomes: "Outcomes", rate: "Rates", count: "Numbers" }[scene.measure];
    if (with_ && !hasMeasure(scene)) return { text: what + (scene.measure === "rate" || scene.measure === "count" ? " are missing for this period." : " are not given for this period."), action: "Show the " + with_.label, run: () => setPeriod(with_.id) };
    const system = INFO.breaks.length ? ": " + INFO.breaks.map((b) => b.text + ", " + shortDate(b.month)).join("; ") : ".";
    if (rows.includes("incomparable")) return { text: "Nothing can be compared with the period before" + system };
    const all = rows.every((s) => s === "notoffered" || s === "nocover");
    const other = MAPPED.find((id) => id !== scene.level && LEVELS[id].code.some((_, i) => ["ok", "first"].includes(valueOf(Object.assign({}, scene, { level: id }), i).state)));
    const action = other ? { action: "Show " + LEVELS[other].many, run: () => setLevel(other) } : {};
    return Object.assign({ text: all ? subjectOf(scene.category) + " is not given by " + level.one + " for this period, to protect people." : "There is nothing to show for this choice." }, action);
  }
  if (missing / rows.length > 0.4 && isDetailed(scene.level) && MAPPED.includes("borough")) {
    const all = regional(scene.period, scene.category, "r");
    const pale = scene.measure === "rate" && all !== null && all < sharedLimits()[0] ? " Pale areas can still be above the " + INFO.region + " rate." : "";
    const why = { count: "no number is offered", rate: "too few " + INFO.noun + " were recorded for a rate", change: "too few " + INFO.noun + " were recorded to compare" }[scene.measure] || "too few were recorded to say";
    return { text: "In " + whole(missing) + " of " + whole(rows.length) + " " + level.many + " " + why + "." + pale + " " + capital(LEVELS.borough.many) + " give a fuller picture.", action: "Show " + LEVELS.borough.many, run: () => setLevel("borough") };
  }
  return null;
}

function drawNotice() {
  const notice = noticeFor();
  byId("notice").hidden = !notice;
  if (!notice) return;
  byId("notice-text").textContent = isolate(notice.text);
  byId("notice-action").hidden = !notice.action;
  byId("notice-action").textContent = notice.action || "";
  byId("notice-action").onclick = notice.run || null;
}
