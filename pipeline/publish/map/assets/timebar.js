/* The period: a bar for each window of the active level, from zero; play; breaks of the series as dashed lines. */

let playing = null;

function currentSeries() {
  const p = periodOf(state.level, state.period);
  return seriesOf(state.level, p ? p.kind : "y");
}

function drawTime() {
  const host = byId("bars");
  host.textContent = "";
  const dense = state.mode === "density";
  const periods = dense ? [periodOf(state.level, INFO.headline)] : currentSeries();
  const chosen = Math.max(0, periods.findIndex((p) => p.id === state.period));
  const last = Math.max(1, periods.length - 1);
  const at = (k) => (periods.length === 1 ? "50%" : "calc(10px + " + k / last + " * (100% - 20px))");
  const totals = periods.map((p) => (p.complete ? regionalRange(p.id, state.category) : null));
  const most = Math.max(...totals.map((n) => (n ? n.upper : 0)), 1);
  totals.forEach((n, k) => {
    // The pale part of a bar is what the total may be beyond its least.
    for (const [value, name] of n && n.upper > n.lower ? [[n.upper, "tbar maybe"], [n.lower, "tbar"]] : [[n && n.upper, "tbar"]]) {
      const bar = el("div", name + (k === chosen ? " on" : ""));
      bar.style.left = at(k);
      bar.style.width = "min(28px, " + 62 / periods.length + "%)";
      bar.style.height = n === null ? "2px" : "calc(var(--tall) * " + Math.max(0.04, value / most).toFixed(3) + ")";
      host.append(bar);
    }
    if (k === chosen && n !== null) { const v = el("div", "val" + (periods.length < 2 ? "" : k / last > 0.9 ? " z" : k / last < 0.1 ? " a" : ""), countText(n)); v.style.left = at(k); host.append(v); }
  });
  for (const b of breaksAt(periods)) {
    const line = el("div", "break"), text = nameEl("span", "", clip(b.text, 60) + ", " + shortDate(b.month));
    line.style.left = at(b.position);
    host.append(add(line, text));
    // In the middle over its line, else to one side of it; where neither leaves the total free, the line stands alone.
    const way = ["", "z", "a"].find((name) => { text.className = name; return fitsBar(text, host); });
    text.hidden = way === undefined;
  }
  const parts = periods.length < 6 ? last : [3, 4, 5].find((n) => last % n === 0) || 2;
  const marks = Array.from({ length: parts + 1 }, (_, k) => Math.round((k * last) / parts)).filter((k) => k < periods.length);
  for (const k of marks) {
    const t = el("div", "tick" + (periods.length === 1 ? "" : k === 0 ? " a" : k === last ? " z" : " mid"), shortDate(periods[k].end));
    t.style.left = at(k);
    host.append(t);
  }
  drawSlider(periods, chosen, totals[chosen], dense);
}

/* Whether a text lies within the bars' width and clear of the chosen period's total. */
function fitsBar(text, host) {
  const own = text.getBoundingClientRect(), box = host.getBoundingClientRect(), total = host.querySelector(".val");
  const other = total ? total.getBoundingClientRect() : null;
  const clear = !other || own.right + 6 < other.left || other.right + 6 < own.left;
  return clear && own.left >= box.left && own.right <= box.right;
}

function drawSlider(periods, chosen, total, dense) {
  const slider = byId("period");
  const window = periods[chosen];
  slider.max = String(Math.max(0, periods.length - 1));
  slider.value = String(chosen);
  slider.disabled = periods.length < 2;
  byId("play").disabled = periods.length < 2;
  slider.setAttribute("aria-valuetext", window.label + (total === null ? "" : ", " + counted(total) + " in " + (INFO.region || "all areas")) + (window.complete ? "" : ", incomplete"));
  const alone = periods.length < 2;
  byId("time").classList.toggle("alone", alone);
  if (alone) {
    byId("period-lead").textContent = dense ? "Density is given for one period" : "This map has one period";
    byId("period-now").textContent = capital(window.label) + (window.complete ? "" : " (part)");
    return;
  }
  const [, lead, rest] = /^(.* to) (.+)$/.exec(window.label) || ["", { m: "Month", q: "Quarter", y: "Period" }[window.kind], window.label];
  byId("period-lead").textContent = lead;
  byId("period-now").textContent = rest + (window.complete ? "" : " (part)");
}

function setPeriod(id) {
  state.period = id;
  redraw();
}

function stopPlaying() {
  if (!playing) return;
  clearInterval(playing);
  playing = null;
  byId("play").setAttribute("aria-label", "Play through the periods");
  byId("play-icon").setAttribute("href", "#i-play");
}

function togglePlaying() {
  if (playing) { stopPlaying(); return; }
  const step = () => {
    const periods = currentSeries();
    const k = periods.findIndex((p) => p.id === state.period);
    if (k >= periods.length - 1) { stopPlaying(); return; }
    setPeriod(periods[k + 1].id);
    announce(periods[k + 1].label);
  };
  const periods = currentSeries();
  byId("play").setAttribute("aria-label", "Pause");
  byId("play-icon").setAttribute("href", "#i-pause");
  const k = periods.findIndex((p) => p.id === state.period);
  setPeriod(periods[k >= periods.length - 1 ? 0 : k + 1].id);
  playing = setInterval(step, 950);
}
