/* Everything chosen, in the address after #; anything odd in there is ignored. */

function saveHash() {
  const parts = { l: state.mode === "density" ? "density" : state.level, m: state.measure, c: state.category, p: state.period };
  if (state.mode === "density") parts.on = state.level;
  if (state.area !== null) parts.a = LEVELS[state.level].code[state.area];
  if (state.hotspot !== null) parts.h = HOTSPOTS[state.hotspot].id;
  if (!state.hotspots && HOTSPOTS.length) parts.spots = "0";
  if (!state.names) parts.names = "0";
  if (state.compare) parts.x = state.compare;
  if (state.tab !== "area") parts.tab = state.tab;
  if (state.view) parts.v = state.view.join(",");
  if (state.themeChosen) parts.t = root.dataset.theme;
  const text = Object.keys(parts).map((k) => k + "=" + encodeURIComponent(parts[k])).join("&");
  try { history.replaceState(null, "", "#" + text); } catch (error) { /* some viewers forbid it; the page works without */ }
}

function readHash() {
  const parts = {};
  for (const piece of location.hash.slice(1).split("&")) {
    const at = piece.indexOf("=");
    if (at < 1) continue;
    try { parts[piece.slice(0, at)] = decodeURIComponent(piece.slice(at + 1)); } catch (error) { /* not an encoding: ignored */ }
  }
  return parts;
}

function applyHash() {
  const parts = readHash();
  Object.assign(state, startState());
  if (parts.l === "density" && BANDS.length) {
    state.mode = "density";
    if (MAPPED.includes(parts.on)) state.level = parts.on;
  } else if (MAPPED.includes(parts.l)) state.level = parts.l;
  if (SHOWN_MEASURES.includes(parts.m)) state.measure = parts.m;
  if (CATEGORIES.some((c) => c.id === parts.c)) state.category = parts.c;
  state.detailed = isDetailed(state.level);
  settleLevel();
  if (periodOf(state.level, parts.p)) state.period = parts.p;
  if (state.mode === "density") state.period = INFO.headline;
  if (parts.a !== undefined && LEVELS[state.level].at.has(parts.a)) state.area = LEVELS[state.level].at.get(parts.a);
  const spot = HOTSPOTS.findIndex((h) => h.id === parts.h);
  if (spot >= 0) state.hotspot = spot;
  if (parts.spots === "0") state.hotspots = false;
  if (parts.names === "0") state.names = false;
  if (parts.tab === "hotspots") state.tab = "hotspots";
  if (parts.x && compareChoices().some((c) => c.value === parts.x)) state.compare = parts.x;
  const view = (parts.v || "").split(",").map(Number);
  if (view.length === 3 && view.every(Number.isFinite) && Math.abs(view[0]) <= 85 && Math.abs(view[1]) <= 180 && view[2] >= 3 && view[2] <= 18) state.view = view;
  if (parts.t === "dark" || parts.t === "light") { state.themeChosen = true; setTheme(parts.t); }
}
