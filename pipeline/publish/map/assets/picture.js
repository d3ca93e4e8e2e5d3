/* A picture of the map, drawn on a canvas from the released data alone. */

const PICTURE = { width: 1600, margin: 56 };

function picturePatterns(context) {
  const tile = (size, draw) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    const c = canvas.getContext("2d");
    c.fillStyle = palette.land;
    c.fillRect(0, 0, size, size);
    c.strokeStyle = c.fillStyle = palette.pattern;
    c.lineWidth = 2;
    draw(c);
    return context.createPattern(canvas, "repeat");
  };
  const line = (c, ...points) => { c.beginPath(); c.moveTo(points[0], points[1]); c.lineTo(points[2], points[3]); c.stroke(); };
  return {
    few: tile(10, (c) => { c.beginPath(); c.arc(5, 5, 1.8, 0, 7); c.fill(); }),
    notoffered: tile(10, (c) => { line(c, 0, 10, 10, 0); line(c, -2, 2, 2, -2); line(c, 8, 12, 12, 8); }),
    incomparable: tile(12, (c) => line(c, 0, 6, 12, 6)),
    nocover: tile(16, (c) => { c.fillStyle = palette.ground; c.fillRect(0, 0, 16, 16); line(c, 0, 0, 16, 16); line(c, 16, 0, 0, 16); }),
    norate: tile(18, (c) => { c.fillStyle = palette.ground; c.fillRect(0, 0, 18, 18); line(c, 9, 5, 9, 13); line(c, 5, 9, 13, 9); }),
    nodata: palette.ground,
  };
}

function pictureProjection(left, top, width, height) {
  const mercator = (lat) => Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) * (180 / Math.PI);
  const points = EDGE.flat();
  const xs = points.map((p) => p[1]), ys = points.map((p) => mercator(p[0]));
  const least = (list) => list.reduce((a, b) => Math.min(a, b)), most = (list) => list.reduce((a, b) => Math.max(a, b));
  const box = [least(xs), least(ys), most(xs), most(ys)];
  const scale = Math.min(width / (box[2] - box[0]), height / (box[3] - box[1]));
  const dx = left + (width - scale * (box[2] - box[0])) / 2, dy = top + (height - scale * (box[3] - box[1])) / 2;
  return { scale, at: ([lat, lon]) => [dx + (lon - box[0]) * scale, dy + (box[3] - mercator(lat)) * scale] };
}

function tracePath(context, rings, at) {
  context.beginPath();
  for (const points of rings) {
    points.forEach((p, k) => { const [x, y] = at(p); if (k) context.lineTo(x, y); else context.moveTo(x, y); });
    context.closePath();
  }
}

function drawScene(context, scene, frame) {
  const { at } = pictureProjection(...frame);
  const patterns = picturePatterns(context);
  const paint = (rings, fill, stroke, width) => {
    tracePath(context, rings, at);
    if (fill) { context.fillStyle = fill; context.fill("evenodd"); }
    if (stroke) { context.strokeStyle = stroke; context.lineWidth = width; context.stroke(); }
  };
  context.lineJoin = "round";
  paint(EDGE, palette.land, palette.edge, 5);
  paint(WATER, palette.water);
  const level = LEVELS[scene.level];
  const plain = scene.mode === "density" || scene.measure === "count";
  level.shapes.forEach((rings, i) => {
    const found = valueOf(scene, i);
    const fill = scene.mode === "density" || (plain && ["ok", "first"].includes(found.state)) ? palette.land : found.state === "ok" ? fillOf(scene, i) : patterns[found.state];
    paint(rings, fill, plain ? palette.rule : palette.wardline, 1);
  });
  if (scene.mode === "density") {
    const colours = bandColours(scene.category);
    for (const b of bandsOf(scene.category)) paint(b.shape, colours.get(b.low), palette.halo, 1);
    level.shapes.forEach((rings) => paint(rings, null, "rgba(27,39,49,.22)", 0.8));
  }
  if (MAPPED.includes("borough")) LEVELS.borough.shapes.forEach((rings) => paint(rings, null, palette.boroline, 2));
  if (scene.mode === "areas" && scene.measure === "count") pictureCircles(context, scene, at);
  if (state.hotspots) HOTSPOTS.forEach((h) => { paint(h.shape, null, palette.halo, 8); paint(h.shape, null, palette.hot, 4); });
  if (state.area !== null) { paint(level.shapes[state.area], null, palette.halo, 10); paint(level.shapes[state.area], null, palette.ink, 5); }
  const badges = state.hotspots ? badgePlaces(at) : [];
  if (state.names && MAPPED.includes("borough") && LEVELS.borough.code.length < 60) pictureNames(context, at, frame, badges);
  drawBadges(context, badges);
}

/* Radius of a count's circle, in pixels of the picture. */
function pictureCircle(scene) {
  const most = largestCount(mainScene());
  const widest = Math.min(60, Math.max(18, 900 / Math.sqrt(LEVELS[scene.level].code.length)));
  return (n) => Math.sqrt(n / most) * widest;
}

function pictureCircles(context, scene, at) {
  const level = LEVELS[scene.level];
  const size = pictureCircle(scene);
  const first = Math.max(1.5, Math.min(4, 0.7 * size(INFO.step)));
  level.labels.map(([x, y], i) => [valueOf(scene, i), at([y / UNIT, x / UNIT])])
    .filter(([v]) => v.state === "first" || (v.state === "ok" && v.value > 0))
    .sort((a, b) => b[0].value - a[0].value)
    .forEach(([v, [x, y]]) => {
      context.beginPath();
      if (v.state === "first") {
        context.arc(x, y, first, 0, 7);
        context.strokeStyle = palette.dot;
        context.lineWidth = 2;
        context.stroke();
        return;
      }
      context.arc(x, y, Math.max(1.5, size(circleValue(v.value))), 0, 7);
      context.lineWidth = 1;
      context.globalAlpha = 0.72;
      context.fillStyle = palette.dot;
      context.fill();
      context.globalAlpha = 1;
      context.strokeStyle = palette.halo;
      context.stroke();
    });
}

function pictureNames(context, at, frame, badges) {
  context.font = "700 " + (frame[2] > 900 ? 21 : 15) + "px " + fontFamily;
  context.textAlign = "center";
  const taken = badges.map(({ x, y }) => [x - 22, y - 22, x + 22, y + 22]);
  order(LEVELS.borough).forEach(([[lon, lat], i]) => {
    const [x, y] = at([lat / UNIT, lon / UNIT]);
    const lines = nameLines(LEVELS.borough.name[i], 11);
    const half = Math.max(...lines.map((t) => context.measureText(t).width)) / 2 + 4;
    const box = [x - half, y - 14 * lines.length, x + half, y + 14 * lines.length];
    const shift = [0, -24, 24, -40, 40].find((dy) => !taken.some((q) => box[0] < q[2] && box[2] > q[0] && box[1] + dy < q[3] && box[3] + dy > q[1]));
    if (shift === undefined) return;
    taken.push([box[0], box[1] + shift, box[2], box[3] + shift]);
    lines.forEach((text, k) => {
      const line = y + shift + (k - (lines.length - 1) / 2) * 24 + 7;
      context.lineWidth = 5;
      context.strokeStyle = palette.halo;
      context.strokeText(text, x, line);
      context.fillStyle = palette.ink;
      context.fillText(text, x, line);
    });
  });
}

function badgePlaces(at) {
  const placed = [];
  for (const spot of HOTSPOTS) {
    const project = (p) => { const [x, y] = at(Array.isArray(p) ? p : [p.lat, p.lng]); return { x, y }; };
    const place = besideOf(spot, project, 12).find((p) => placed.every((other) => Math.hypot(p.x - other.x, p.y - other.y) > 34));
    if (place) placed.push({ x: place.x, y: place.y, rank: spot.rank });
  }
  return placed;
}

function drawBadges(context, badges) {
  for (const { x, y, rank } of badges) {
    context.beginPath();
    context.arc(x, y, 18, 0, 7);
    context.fillStyle = palette.hot;
    context.strokeStyle = palette.halo;
    context.lineWidth = 3;
    context.stroke();
    context.fill();
    context.font = "700 20px " + fontFamily;
    context.textAlign = "center";
    context.fillStyle = palette["hot-on"];
    context.fillText(String(rank), x, y + 7);
  }
}

/* Words that wrap; returns the line after the last. */
function writeLines(context, text, { x, y, width, size, weight, colour, gap }) {
  context.font = (weight || 400) + " " + size + "px " + fontFamily;
  context.fillStyle = colour || palette.ink;
  context.textAlign = "left";
  let line = "";
  const put = () => { if (line) { context.fillText(line, x, y); y += gap || size * 1.35; line = ""; } };
  for (const word of text.split(" ")) {
    let rest = word;
    while (context.measureText(rest).width > width) {
      put();
      let k = rest.length;
      while (k > 1 && context.measureText(rest.slice(0, k)).width > width) k -= 1;
      line = rest.slice(0, k);
      put();
      rest = rest.slice(k);
    }
    if (context.measureText(line ? line + " " + rest : rest).width > width) put();
    line = line ? line + " " + rest : rest;
  }
  put();
  return y;
}

function pictureLegend(context, scene, x, y, width) {
  let entries = [];
  let title = unitOf(scene).join(" ").trim();
  if (scene.mode === "density") {
    const colours = [...bandColours(scene.category)];
    title = capital(INFO.noun) + " per km\u00b2";
    entries = colours.map(([low, colour]) => [colour, bandText(low) + " and more"]);
  } else if (scene.measure === "significance") entries = SIGNIFICANCE.filter((k) => !PUBLIC || k >= 0).map((k) => [palette.g[k + 3], significanceWord(k)]);
  else if (scene.measure === "change") entries = rampOf(scene).map((colour, k) => [colour, capital(changeFigure(k - 1))]);
  else if (scene.measure !== "count") {
    const limits = sharedLimits();
    const text = (v) => (scene.measure === "outcomes" && !isFlow() ? limitText(v * 100) + "%" : limitText(v));
    entries = rampOf(scene).map((colour, k) => [colour, k === 0 ? "under " + text(limits[0]) : k === limits.length ? text(limits[k - 1]) + " and more" : text(limits[k - 1]) + " to " + text(limits[k])]);
  }
  const patterns = picturePatterns(context);
  if (scene.mode !== "density" && scene.measure === "count") entries = circleExamples(scene).reverse().map(({ value, text }) => [value, text]);
  for (const [key, text] of keysOf([scene])) entries.push([patterns[key], text]);
  context.font = "700 22px " + fontFamily;
  context.fillStyle = palette.ink;
  context.textAlign = "left";
  context.fillText(title, x, y);
  const across = Math.max(1, Math.floor(width / 250));
  const circles = entries.filter(([value]) => typeof value === "number").map(([value]) => pictureCircle(scene)(value));
  const tall = Math.max(0, 2 * Math.max(0, ...circles) - 20);
  entries.forEach(([colour, text], k) => {
    const row = Math.floor(k / across);
    const px = x + (k % across) * 250, py = y + 18 + row * 32 + (row ? tall : tall / 2);
    if (colour === null || typeof colour === "number") pictureDot(context, px + 17, py + 10, colour === null ? null : pictureCircle(scene)(colour));
    else {
      context.fillStyle = colour;
      context.fillRect(px, py, 34, 20);
      context.strokeStyle = palette.ctl;
      context.lineWidth = 1;
      context.strokeRect(px + 0.5, py + 0.5, 34, 20);
    }
    context.fillStyle = palette.ink;
    context.font = "400 19px " + fontFamily;
    const beside = typeof colour === "number" ? Math.max(44, 17 + pictureCircle(scene)(colour) + 10) : 44;
    context.fillText(clip(text, 22), px + beside, py + 17);
  });
  return y + 18 + tall + Math.ceil(entries.length / across) * 32;
}

/* A circle of the legend; without a radius the ring of the first step. */
function pictureDot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius || 4, 0, 7);
  context.fillStyle = context.strokeStyle = palette.dot;
  context.lineWidth = 2;
  if (radius) context.fill(); else context.stroke();
}

function drawPicture() {
  const { width, margin } = PICTURE;
  const scenes = state.compare ? [mainScene(), otherScene()] : [mainScene()];
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = scenes.length > 1 ? 1160 : 1560;
  const context = canvas.getContext("2d");
  if (!fontFamily) fontFamily = getComputedStyle(document.body).fontFamily;
  context.fillStyle = palette.paper;
  context.fillRect(0, 0, width, canvas.height);
  const inner = width - 2 * margin;
  let y = margin + 34;
  const warnings = [INFO.marking, INFO.audit, INFO.synthetic].filter(Boolean);
  if (warnings.length) y = writeLines(context, warnings.join(" \u00b7 "), { x: margin, y: y - 10, width: inner, size: 22, weight: 700, colour: palette.hot }) + 18;
  y = writeLines(context, byId("heading").textContent, { x: margin, y: y + 8, width: inner, size: 46, weight: 700 }) + 2;
  y = writeLines(context, byId("subtitle").textContent + (INFO.place ? " \u00b7 " + INFO.place : ""), { x: margin, y: y - 6, width: inner, size: 27 });
  // Circles stand in the legend as large as on the map.
  const circles = scenes[0].mode !== "density" && scenes[0].measure === "count" ? circleExamples(scenes[0]).map(({ value }) => pictureCircle(scenes[0])(value || 0)) : [0];
  const top = y, tall = canvas.height - top - 300 - Math.max(0, 2 * Math.max(...circles) - 20);
  const each = (inner - (scenes.length - 1) * 40) / scenes.length;
  scenes.forEach((scene, k) => {
    const left = margin + k * (each + 40);
    let start = top;
    if (scenes.length > 1) start = writeLines(context, sideLabel(scene), { x: left, y: top + 20, width: each, size: 26, weight: 700 });
    drawScene(context, scene, [left, start, each, tall - (start - top)]);
  });
  y = pictureLegend(context, scenes[0], margin, top + tall + 46, inner) + 22;
  for (const text of [INFO.counts, [INFO.publisher, INFO.licence].filter(Boolean).join(". "), INFO.wording.join(" ")]) {
    if (text) y = writeLines(context, text, { x: margin, y, width: inner, size: 17, colour: palette["ink-2"] }) + 4;
  }
  return canvas;
}

function savePicture() {
  const canvas = drawPicture();
  canvas.toBlob((blob) => download(fileName("png"), "image/png", blob), "image/png");
}
