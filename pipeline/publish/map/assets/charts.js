/* Small charts of the card: bars with their interval, and the series with breaks and events. What is known only to lie in
   a range is drawn from its least to its most. */

function compareBars(rows) {
  const list = el("ul", "compare-bars");
  const most = Math.max(...rows.map((r) => Math.max(r.ends[1], r.range ? r.range[1] : 0)), 1e-9) * 1.02;
  const long = rows.some((r) => r.text.length > 5);
  if (long) list.classList.add("long");
  for (const row of rows) {
    const track = el("span", "track");
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

/* Whether the ranges of a series are wide enough to be drawn as bars; else it is a line. */
function isWide(values) {
  const most = Math.max(...values.map((v) => (v ? v[1] : 0)), 1e-9);
  return values.some((v) => v && v[1] - v[0] > 0.03 * most);
}

function monthIndex(iso) { return Number(iso.slice(0, 4)) * 12 + Number(iso.slice(5, 7)) - 1; }

/* Ranges [least, most] over the windows of one kind, null where there is none. Narrow ones are a line, which stops where
   a number is missing and is only dotted across a break; wide ones are bars from least to most, on no line. */
function trend({ periods, lines, chosen, text, label }) {
  const named = lines.map((line, n) => (n === lines.length - 1 ? "" : clip(line.name, 8) + " "));
  const lastOf = (line) => line.values.filter((v) => v).pop();
  const widest = Math.max(...lines.map((line, n) => (lastOf(line) ? (named[n] + text(lastOf(line))).length : 0)));
  const W = 308, H = 74, top = 14, base = 18, right = Math.max(52, 12 + 6.4 * widest);
  const left = lines.some((line) => isWide(line.values)) ? 9 : 2;
  const picture = svgEl("svg", { class: "trend", viewBox: "0 0 " + W + " " + H, preserveAspectRatio: "xMinYMid meet", role: "img", "aria-label": label });
  const numbers = lines.flatMap((l) => l.values).map((v) => (v ? v[1] : 0));
  const most = Math.max(...numbers, 1e-9) * 1.08;
  const X = (k) => left + ((W - left - right) * k) / Math.max(1, periods.length - 1);
  const bar = Math.min(8, (0.72 * (W - left - right)) / Math.max(1, periods.length - 1));
  const Y = (v) => top + (H - top - base) * (1 - v / most);
  picture.append(svgEl("line", { x1: left, x2: W - right, y1: Y(0), y2: Y(0), stroke: palette.rule }));
  const breaks = breaksAt(periods);
  const broken = (k) => breaks.some((b) => b.position > k - 1 && b.position <= k);
  for (const at of breaks) {
    const x = X(at.position);
    picture.append(svgEl("line", { x1: x, x2: x, y1: top - 8, y2: Y(0), stroke: palette.ctl, "stroke-dasharray": "3 3" }));
  }
  for (const event of INFO.events) {
    const at = positionOf(periods, event.date);
    if (at !== null) picture.append(add(svgEl("path", { d: "M" + X(at).toFixed(1) + " " + (top - 3) + "l-3.5 -6h7z", fill: palette["ink-3"] }), svgEl("title", {}, shortDate(event.date) + ": " + event.label)));
  }
  const ends = [];
  lines.forEach((line, n) => {
    const main = n === lines.length - 1;
    const stroke = main ? palette.ink : palette["bar-hover"];
    const wide = isWide(line.values);
    let path = "", across = "", pen = false, last = null, before = "";
    line.values.forEach((v, k) => {
      if (!v) { pen = false; return; }
      last = v;
      if (wide) {
        const x = X(k) - bar / (main ? 2 : 4), tall = Math.max(2.4, Y(v[0]) - Y(v[1]));
        picture.append(svgEl("rect", { x: x.toFixed(1), y: (Y(v[1]) - (tall === 2.4 ? 1.2 : 0)).toFixed(1), width: (main ? bar : bar / 2).toFixed(1), height: tall.toFixed(1), fill: k === chosen || !main ? stroke : palette["bar-hover"] }));
        return;
      }
      const here = X(k).toFixed(1) + " " + Y((v[0] + v[1]) / 2).toFixed(1);
      if (pen && broken(k)) { across += "M" + before + "L" + here; pen = false; }
      path += (pen ? "L" : "M") + here;
      before = here;
      pen = true;
    });
    if (across) picture.append(svgEl("path", { d: across, fill: "none", stroke, "stroke-width": 1.6, "stroke-dasharray": "0.1 4", "stroke-linecap": "round" }));
    if (path) picture.append(svgEl("path", { d: path, fill: "none", stroke, "stroke-width": main ? 2.2 : 1.6, "stroke-linejoin": "round", "stroke-linecap": "round" }));
    if (last !== null) ends.push({ y: Y((last[0] + last[1]) / 2) + 4, text: named[n] + text(last), main });
  });
  ends.sort((a, b) => a.y - b.y);
  for (let k = 1; k < ends.length; k++) if (ends[k].y - ends[k - 1].y < 13) ends[k].y = ends[k - 1].y + 13;
  const over = ends.length ? ends[ends.length - 1].y - (H - base + 8) : 0;
  for (const end of ends) picture.append(svgEl("text", { x: W - right + 7, y: end.y - Math.max(0, over), class: end.main ? "end" : "" }, end.text));
  const value = lines[lines.length - 1].values[chosen];
  if (value && !isWide(lines[lines.length - 1].values)) picture.append(svgEl("circle", { cx: X(chosen), cy: Y((value[0] + value[1]) / 2), r: 3.6, fill: palette.ink, stroke: palette.paper, "stroke-width": 1.5 }));
  picture.append(svgEl("text", { x: 0, y: H - 3 }, shortDate(periods[0].end)));
  picture.append(svgEl("text", { x: W - right, y: H - 3, "text-anchor": "end" }, shortDate(periods[periods.length - 1].end)));
  return picture;
}

/* Position of a date between windows, in windows; null outside. */
function positionOf(periods, iso) {
  if (periods.length < 2 || iso < periods[0].start || iso > periods[periods.length - 1].end) return null;
  const month = monthIndex(iso) + (iso.length > 7 ? Number(iso.slice(8, 10)) / 31 : 0);
  const middle = (p) => (monthIndex(p.start) + monthIndex(p.end) + 1) / 2;
  const first = middle(periods[0]), last = middle(periods[periods.length - 1]);
  return Math.min(periods.length - 1, Math.max(0, ((month - first) / (last - first)) * (periods.length - 1)));
}

function breaksAt(periods) {
  return INFO.breaks
    .map((b) => ({ text: b.text, month: b.month, position: positionOf(periods, b.month + "-01") }))
    .filter((b) => b.position !== null);
}
