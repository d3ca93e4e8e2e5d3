/* The legend follows what is on the map: its unit, its classes, and only the keys that occur. */

function keyRow(list, paint, text) {
  const picture = svgEl("svg", { viewBox: "0 0 18 12", "aria-hidden": "true" });
  picture.append(svgEl("rect", { x: 0.5, y: 0.5, width: 17, height: 11, fill: paint, stroke: palette.ctl, "fill-opacity": paint.startsWith("url") ? 1 : fillOpacity() }));
  list.append(add(el("li"), picture, text));
}

/* The states without a value that occur, and their words: for the legend and the picture. */
function keysOf(scenes) {
  const seen = new Set();
  let few = 0;
  for (const scene of scenes) {
    if (scene.mode === "density") continue;
    LEVELS[scene.level].code.forEach((_, i) => {
      const found = valueOf(scene, i);
      seen.add(found.state);
      if (found.state === "few" && found.range) few = Math.max(few, found.range.upper);
    });
  }
  const measure = scenes[0].measure;
  const words = {
    few: measure === "rate" ? (INFO.step > 1 && few ? capital(countText({ lower: 0, upper: few })) + ": no rate" : "Too few for a rate")
      : measure === "change" ? "Too few to compare" : "Too few to say",
    notoffered: "Not offered",
    incomparable: "Not comparable",
    nocover: "Not covered",
    norate: "No resident rate",
    nodata: "No data",
  };
  return Object.entries(words).filter(([key]) => seen.has(key));
}

function legendKeys(list, scenes) {
  for (const [key, text] of keysOf(scenes)) keyRow(list, "url(#pt-" + key + ")", text);
  if (scenes[0].mode === "density") keyRow(list, palette.land, bandsOf(scenes[0].category).length ? "Under " + bandText(bandsOf(scenes[0].category)[0].low) : "No bands");
  if (state.hotspots && HOTSPOTS.length) {
    const picture = svgEl("svg", { viewBox: "0 0 18 12", "aria-hidden": "true" });
    picture.append(svgEl("rect", { x: 1.2, y: 1.2, width: 15.6, height: 9.6, rx: 4, fill: "none", stroke: palette.hot, "stroke-width": 2 }));
    const own = scenes[0].category === CATEGORIES[0].id && scenes[0].period === INFO.headline;
    list.append(add(el("li"), picture, own ? "Hotspot" : "Hotspot: " + CATEGORIES[0].label + ", " + INFO.headlineLabel));
  }
  return list;
}

/* Where a value stands on the ramp, in per cent of its width. */
function rampPosition(value, limits, classes) {
  const k = classOf(value, limits);
  const low = k === 0 ? (limits[0] < 0 ? limits[0] * 2 : 0) : limits[k - 1];
  const high = k === limits.length ? limits[k - 1] * 2.2 : limits[k];
  return ((k + Math.min(0.95, Math.max(0.05, (value - low) / (high - low || 1)))) / classes) * 100;
}

function rampBar(colours) {
  const bar = el("div", "ramp");
  for (const colour of colours) {
    const block = el("i");
    block.style.background = colour;
    block.style.opacity = fillOpacity();
    bar.append(block);
  }
  return bar;
}

function tick(host, text, percent, className) {
  const mark = el("span", className || "", text);
  mark.style.left = percent + "%";
  host.append(mark);
}

function drawLegend() {
  const host = byId("legend");
  host.textContent = "";
  fillLegend(host, mainScene());
}

function fillLegend(host, scene) {
  const title = el("h2");
  if (scene.mode === "density") add(title, capital(INFO.noun) + " per km\u00b2 ", el("span", "", "in " + INFO.headlineNamed));
  else { const [unit, rest] = unitOf(scene); add(title, unit + " ", el("span", "", rest)); }
  host.append(title);
  if (scene.mode === "density") densityLegend(host, scene);
  else if (scene.measure === "count") {
    circleLegend(host, scene);
    const isSum = (found) => found.state === "ok" && found.range.upper - found.range.lower > INFO.step - 1;
    if (LEVELS[scene.level].code.some((_, i) => isSum(valueOf(scene, i)))) host.append(el("p", "note tight", "Circles go by the middle of each range."));
  }
  else if (scene.measure === "significance") significanceLegend(host);
  else if (scene.measure === "change") changeLegend(host, scene);
  else if (LEVELS[scene.level].code.some((_, i) => valueOf(scene, i).state === "ok")) rampLegend(host, scene);
  host.append(legendKeys(el("ul", "keys"), state.compare ? [scene, otherScene()] : [scene]));
}

function rampLegend(host, scene) {
  const limits = sharedLimits();
  const colours = rampOf(scene);
  const bar = rampBar(colours);
  const words = limits.map((v) => (scene.measure === "outcomes" && !isFlow() ? limitText(v * 100) + "%" : limitText(v)));
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", "Five classes, split at " + words.join(", "));
  const pointers = [];
  const whole_ = regional(scene.period, scene.category, MEASURES[scene.measure].key);
  if (whole_ !== null) pointers.push([whole_, INFO.region || "All"]);
  if (state.area !== null) {
    const found = valueOf(scene, state.area);
    if (found.state === "ok") pointers.push([found.value, clip(LEVELS[scene.level].name[state.area], 17)]);
  }
  const at = pointers.map(([v]) => rampPosition(v, limits, colours.length));
  const crowded = at.length === 2 && Math.abs(at[0] - at[1]) < 30;
  pointers.forEach(([, text], k) => {
    const mark = nameEl("span", "pointer", crowded && k === 0 ? "" : text);
    mark.style.left = at[k] + "%";
    const half = Array.from(mark.textContent).length * 3.1 + 3;
    if ((at[k] / 100) * 228 < half) mark.classList.add("left");
    else if ((1 - at[k] / 100) * 228 < half) mark.classList.add("right");
    bar.append(mark);
  });
  if (!pointers.length) bar.classList.add("plain");
  const ticks = el("div", "ticks");
  words.forEach((text, k) => tick(ticks, text, ((k + 1) / colours.length) * 100));
  const [low, high] = ["lower", "higher"];
  add(host, bar, ticks);
  if (words[0].length > 4 || words[words.length - 1].length > 2) { // "1,000" and "30%" would run into the word at its end
    add(host, add(el("div", "ends"), el("span", "", low), el("span", "", high)));
    return;
  }
  tick(ticks, low, 0, "first");
  tick(ticks, high, 100, "last");
}

function densityLegend(host, scene) {
  const colours = bandColours(scene.category);
  if (!colours.size) return;
  const bar = rampBar([...colours.values()]);
  bar.classList.add("plain");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", "Bands from " + [...colours.keys()].map(bandText).join(", ") + " per square kilometre");
  const ticks = el("div", "ticks");
  [...colours.keys()].forEach((low, k) => tick(ticks, bandText(low), (k / colours.size) * 100, k ? "" : "first"));
  add(host, bar, ticks);
}

function significanceLegend(host) {
  const classes = SIGNIFICANCE.filter((k) => !PUBLIC || k >= 0);
  const bar = rampBar(classes.map((k) => palette.g[k + 3]));
  bar.classList.add("plain");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", classes.map(significanceWord).join("; "));
  const ticks = el("div", "ticks");
  classes.forEach((k, n) => tick(ticks, k === 0 ? "none" : [90, 95, 99][Math.abs(k) - 1] + "%", ((n + 0.5) / classes.length) * 100));
  const ends = el("div", "ends");
  add(ends, el("span", "", PUBLIC ? "not clearly higher" : "lower recorded"), el("span", "", "higher"));
  add(host, bar, ticks, ends);
}

/* A change is one of three: nothing between is claimed. */
function changeLegend(host, scene) {
  const list = el("ul", "keys first");
  rampOf(scene).forEach((colour, k) => keyRow(list, colour, capital(changeFigure(k - 1))));
  host.append(list);
}

/* Circles one within another, each with its count; in steps one for each class, and a ring for the first step. */
function circleLegend(host, scene) {
  const size = circleScale(VIEWS[0], scene);
  const examples = circleExamples(scene).map(({ value, text }) => ({ ring: value === null, r: Math.min(60, value === null ? firstRadius(size) : size(value)), text }));
  const radius = examples[0].r;
  const within = radius > 22; // smaller ones stand in rows: one within another they would look the same
  const tall = 2 * radius + 6;
  const wide = Math.max(...examples.map((e) => e.text.length)) * 6.4;
  const picture = svgEl("svg", { width: 2 * radius + 28 + wide, "aria-hidden": "true" });
  let last = -Infinity;
  examples.forEach(({ ring: isRing, r, text }, k) => {
    const top = within ? tall - 2 - 2 * r : 0;
    const y = within ? Math.max(top + 5, last + 15, 11) : k ? last + Math.max(15, examples[k - 1].r + r + 2) : Math.max(11, r + 5);
    last = y;
    const style = isRing ? { fill: "none", "stroke-width": 1.2 } : { fill: palette.dot, "fill-opacity": within ? 0.18 : 0.72, "stroke-width": within ? 1.3 : 0 };
    picture.append(svgEl("circle", Object.assign({ cx: radius + 3, cy: within ? tall - 2 - r : y - 4, r, stroke: palette.dot }, style)));
    if (within) picture.append(svgEl("line", { x1: radius + 3 + (isRing ? r : 0), x2: 2 * radius + 16, y1: isRing ? top + r : top, y2: y - 4, stroke: palette.ctl, "stroke-width": 0.7 }));
    picture.append(svgEl("text", { x: 2 * radius + (within ? 20 : 12), y, "font-size": 12, fill: palette.ink }, text));
  });
  picture.setAttribute("height", Math.max(within ? tall : 0, last + 5)); // labels keep their distance, and may end below the circles
  add(host, el("p", "vh", (INFO.step > 1 ? "Circles by class: " : "Circles by area; examples: ") + examples.map((e) => e.text).join(INFO.step > 1 ? "; " : ", ")), picture);
}
