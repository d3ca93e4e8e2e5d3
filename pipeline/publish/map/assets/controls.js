// @ts-check
/* The controls: each changes the state and asks for everything to be drawn again. Search, and the bar of periods.

   Exports `redraw`, which brings the page in line with the state, `startControls`, and what main.js needs to start. */

import { capital, clip, countText, listed, say, shortDate } from "./words.js";
import {
  BANDS, CATEGORIES, CONTEXT, HOTSPOTS, INFO, LEVELS, MAPPED, OVERLAYS, containing, kindsOf, parentName, periodOf, regionalRange,
  seriesOf,
} from "./data.js";
import {
  SHOWN_MEASURES, act, currentSeries, isDetailed, kindOf, levelsOf, mainScene, matching, otherScene,
  settleCompare, settleHotspot, settleLevel, settleMeasure, shownAs, sideLabel, spotsOf, startState, state,
} from "./model.js";
import { counted, detailNote, levelWord, measureWord, spotAmount, valueText } from "./sentences.js";
import {
  add, announce, byId, el, inputById, isPhone, nameEl, root, saveAddress, selectById, setTheme, showInPanel,
  touches,
} from "./page.js";
import { switchContext } from "./context.js";
import { VIEWS } from "./view.js";
import { centreBounds, drawCompare, drawInset, drawScale, goHome, toggleCompare } from "./stage.js";
import { breaksAt, drawCard, drawHotspotList } from "./card.js";
import { drawGuide, drawLegend, drawNotice, drawTitles, settleLegend } from "./legend.js";
import { copyLink, drawTable, saveCsv, saveGeoJson, table } from "./table.js";
import { savePicture } from "./picture.js";

/** @import { PeriodFields } from "./fields.js" */
/** @import { CountRange } from "./data.js" */
/** @import { Measure, Named } from "./model.js" */

/** Bring everything in line with the state. @param {{quiet?: boolean}} [options] quiet leaves the address alone */
export function redraw({ quiet } = {}) {
  settleLevel();
  settleMeasure();
  settleCompare();
  settleHotspot();
  syncControls();
  drawCompare();
  for (const view of VIEWS) if (!view.small && (view === VIEWS[0] || state.compare)) view.draw();
  drawInset();
  drawTitles();
  drawNotice();
  drawLegend({ settle: false });
  drawCard();
  drawHotspotList();
  drawTime();
  drawTable();
  // Everything is in place before anything is measured: the page is set out once.
  settleTime();
  settleLegend();
  if (!quiet) saveAddress();
}

/** @param {string} hostId @param {string} name of the choice @param {{value: string, text: string}[]} choices
 * @param {(value: string) => void} onChange */
function segment(hostId, name, choices, onChange) {
  const host = byId(hostId);
  host.textContent = "";
  host.dataset.count = String(choices.length);
  for (const choice of choices) {
    const input = el("input");
    input.type = "radio";
    input.name = name;
    input.value = choice.value;
    input.addEventListener("change", () => onChange(choice.value));
    host.append(add(el("label"), input, el("span", "", choice.text)));
  }
}

/** @param {string} id @param {() => void} action */
function onClick(id, action) { byId(id).addEventListener("click", action); }

export function startControls() {
  Object.assign(act, { redraw, chooseArea, chooseHotspot, setLevel, stopPlaying, showTab });
  VIEWS[0].onZoom = () => {
    drawScale();
    if (mainScene().measure === "count") drawLegend();
  };
  for (const c of CATEGORIES) {
    const option = el("option", "", (c.parent && c.parent !== CATEGORIES[0].id ? "\u2003" : "") + c.label);
    option.value = c.id;
    byId("category").append(option);
  }
  const category = selectById("category");
  category.addEventListener("change", () => { state.category = category.value; redraw(); announceState(); });
  segment("measure-seg", "measure", SHOWN_MEASURES.map((m) => ({ value: m, text: measureWord(m) })), (m) => {
    Object.assign(state, { measure: /** @type {Measure} */ (m), instead: false, keepFlat: m === "rate" });
    redraw();
    announceState();
  });
  const hotspots = inputById("show-hotspots"), names = inputById("show-names");
  hotspots.addEventListener("change", () => { state.hotspots = hotspots.checked; redraw(); });
  inputById("show-context").addEventListener("change", () => switchContext(inputById("show-context").checked));
  const overlay = selectById("overlay");
  for (const [id, name] of [["", say("map.overlay.none")], ...OVERLAYS.map((o) => [o.id, o.name])]) {
    const option = el("option", "", name);
    option.value = id;
    overlay.append(option);
  }
  overlay.addEventListener("change", () => { state.overlay = overlay.value; redraw(); announce(overlay.selectedOptions[0].text); });
  names.addEventListener("change", () => { state.names = names.checked; for (const v of VIEWS) v.drawNames(); saveAddress(); });
  onClick("reset", reset);
  byId("period").addEventListener("input", () => { stopPlaying(); setPeriod(currentSeries()[Number(inputById("period").value)].id); });
  onClick("play", togglePlaying);
  onClick("zoom-in", () => VIEWS[0].map.zoomIn());
  onClick("zoom-out", () => VIEWS[0].map.zoomOut());
  onClick("zoom-home", () => { state.view = null; goHome(); saveAddress(); });
  for (const id of ["open-compare", "sheet-compare", "compare-close"]) onClick(id, () => { if (id === "sheet-compare") closeSheet(); toggleCompare(); });
  const other = selectById("compare-with");
  other.addEventListener("change", () => { state.compare = other.value; redraw(); announce(say("map.compare.with", { name: sideLabel(otherScene()) })); });
  for (const id of ["theme", "sheet-theme"]) onClick(id, toggleTheme);
  for (const id of ["print", "save-print"]) onClick(id, () => window.print());
  onClick("save-csv", saveCsv);
  onClick("table-csv", saveCsv);
  onClick("save-geojson", saveGeoJson);
  onClick("save-png", savePicture);
  onClick("save-link", copyLink);
  byId("table-filter").addEventListener("input", drawTable);
  byId("table-layer").addEventListener("change", () => {
    Object.assign(table, { layer: selectById("table-layer").value, sort: "", direction: 1 });
    drawTable();
  });
  onClick("inset", () => { VIEWS[0].map.fitBounds(centreBounds(), { animate: false }); announce(say("map.controls.zoomed_to_centre")); });
  onClick("credit-fold", () => byId("credit-fold").setAttribute("aria-expanded", String(byId("credit-fold").getAttribute("aria-expanded") === "false")));
  onClick("peek", () => {
    const open = byId("sheet").classList.toggle("open");
    byId("peek").setAttribute("aria-expanded", String(open));
    byId("peek-go").textContent = say(open ? "map.controls.close" : "map.controls.details");
  });
  startTabs();
  startDrawers();
  startSearch();
}

function toggleTheme() {
  state.theme = root().dataset.theme === "dark" ? "light" : "dark";
  setTheme(state.theme);
  redraw();
}

export function syncControls() {
  selectById("category").value = state.category;
  /** @param {string} name @param {string} value */
  const check = (name, value) => {
    const input = /** @type {HTMLInputElement | null} */ (document.querySelector('input[name="' + name + '"][value="' + value + '"]'));
    if (input) input.checked = true;
  };
  check("measure", state.measure);
  drawLevels();
  check("map", state.mode === "density" ? "density" : state.level);
  /** @type {NodeListOf<HTMLInputElement>} */
  const measures = document.querySelectorAll('input[name="measure"]');
  for (const input of measures) input.disabled = state.mode === "density";
  inputById("show-hotspots").checked = state.hotspots;
  inputById("show-names").checked = state.names;
  inputById("show-context").checked = state.context;
  selectById("overlay").value = state.overlay;
  const kinds = state.mode === "density" ? [] : kindsOf(state.level);
  byId("kinds").hidden = kinds.length < 2;
  if (byId("kind-seg").dataset.kinds !== kinds.join()) {
    segment("kind-seg", "kind", kinds.map((k) => ({ value: k, text: kindWord(k) })), (k) => {
      const series = seriesOf(state.level, k);
      setPeriod((series.find((p) => p.id === INFO.headline) || series[series.length - 1]).id);
    });
    byId("kind-seg").dataset.kinds = kinds.join();
  }
  check("kind", kindOf(mainScene()));
}

/** A kind of window: years that end in any month are called by their length. @param {string} kind @returns {string} */
function kindWord(kind) {
  if (kind !== "y") return say("map.kind." + kind);
  const twelve = say("map.kind.twelve_months");
  return INFO.headlineLabel.startsWith(twelve) ? twelve : say("map.kind.years");
}

/** The choice of level under the category that decides what there is to choose. */
function drawLevels() {
  const choices = levelsOf(state.category).map((id) => ({ value: id, text: capital(clip(levelWord(id, true), 15)) }));
  if (BANDS.length) choices.push({ value: "density", text: say("map.density.title") });
  const names = choices.map((c) => c.value).join();
  if (byId("map-seg").dataset.names !== names) {
    segment("map-seg", "map", choices, (value) => { if (value === "density") setDensity(); else setLevel(value); announceState(); });
    byId("map-seg").dataset.names = names;
  }
  const note = detailNote();
  byId("maps").hidden = choices.length < 2;
  byId("detail-note").textContent = note;
  byId("detail-note").hidden = !note;
}

/** @param {string} level */
function setLevel(level) {
  stopPlaying();
  const keep = state.area === null ? null : containing(state.level, state.area, level);
  state.level = level;
  state.detailed = isDetailed(level);
  state.mode = "areas";
  state.area = keep;
  if (!periodOf(level, state.period)) state.period = INFO.headline;
  redraw();
}

function setDensity() {
  stopPlaying();
  state.mode = "density";
  state.period = INFO.headline;
  if (!periodOf(state.level, state.period)) state.level = MAPPED[0];
  redraw();
}

function announceState() { announce(byId("heading").textContent + ", " + byId("subtitle").textContent); }

/** @param {number | null} i @param {boolean} [zoom] */
export function chooseArea(i, zoom) {
  state.area = i;
  for (const view of VIEWS) if (!view.small) { view.drawPicked(); view.drawNames(); }
  drawLegend();
  drawCard();
  drawTitles();
  drawTable();
  showTab("area");
  showChosen();
  if (i !== null && zoom) VIEWS[0].fit(L.latLngBounds(LEVELS[state.level].shapes[i].flat()), 12.5);
  announce(i === null ? say("map.controls.cleared") : say("map.controls.chosen", { area: LEVELS[state.level].name[i], value: valueText(mainScene(), i) }));
  saveAddress();
}

/** @param {number} k @param {boolean} zoom */
function chooseHotspot(k, zoom) {
  state.hotspot = state.hotspot === k ? null : k;
  if (!state.hotspots) { state.hotspots = true; inputById("show-hotspots").checked = true; drawLegend(); }
  for (const view of VIEWS) { view.drawSpots(); view.drawNames(); }
  const focused = document.activeElement && document.activeElement.classList.contains("spotrow");
  drawHotspotList();
  showTab("hotspots");
  // Rows stand in the order of the hotspots that are shown.
  if (focused) byId("pane-hotspots").querySelectorAll("button")[spotsOf(mainScene()).indexOf(HOTSPOTS[k])].focus();
  showChosen();
  const spot = HOTSPOTS[k];
  if (state.hotspot !== null && zoom) { VIEWS[0].fit(L.latLngBounds(spot.shape.flat()), 13.5); if (isPhone()) closeSheet(); }
  const values = { rank: spot.rank, name: spot.name, amount: spotAmount(spot), noun: INFO.noun };
  announce(say(state.hotspot === null ? "map.hotspots.unmarked" : "map.hotspots.chosen", values));
  saveAddress();
}

function closeSheet() {
  if (byId("sheet").classList.contains("open")) byId("peek").click();
}

function reset() {
  stopPlaying();
  Object.assign(state, startState());
  inputById("table-filter").value = "";
  redraw();
  showTab("area");
  goHome();
  announce(say("map.controls.was_reset"));
}

/* ---------- tabs and drawers ---------- */

const TABS = ["area", "hotspots"];
const DRAWERS = ["table", "save", "how"];

/** @param {string} name */
export function showTab(name) {
  state.tab = name;
  for (const id of TABS) {
    const on = id === name;
    byId("tab-" + id).setAttribute("aria-selected", String(on));
    byId("tab-" + id).tabIndex = on ? 0 : -1;
    byId("pane-" + id).hidden = !on;
  }
}

/** The card of the chosen area, or the row of the chosen hotspot with its details, is what the reader asked for. */
function showChosen() {
  if (state.tab === "area" && state.area !== null) showInPanel(byId("pane-area"));
  if (state.tab === "hotspots" && state.hotspot !== null) showInPanel(byId("pane-hotspots").querySelector("li:has([aria-pressed=true])"));
}

function startTabs() {
  for (const id of TABS) {
    onClick("tab-" + id, () => { showTab(id); saveAddress(); });
    byId("tab-" + id).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
      const other = id === "area" ? "hotspots" : "area";
      showTab(other);
      byId("tab-" + other).focus();
      saveAddress();
    });
  }
}

/** Open one drawer and close the others; the one that is open already closes. @param {string | null} name */
function openDrawer(name) {
  for (const id of DRAWERS) {
    const on = id === name && byId("drawer-" + id).hidden;
    byId("drawer-" + id).hidden = !on;
    byId("open-" + id).setAttribute("aria-expanded", String(on));
    if (!on) continue;
    if (id === "table") drawTable();
    if (id === "how" && !byId("guide").firstChild) drawGuide();
    byId("save-subtitle").textContent = byId("heading").textContent + ", " + byId("subtitle").textContent;
    byId(id + "-title").focus();
  }
}

function startDrawers() {
  for (const id of DRAWERS) {
    onClick("open-" + id, () => openDrawer(id));
    onClick("close-" + id, () => { openDrawer(null); byId("open-" + id).focus(); });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = DRAWERS.find((id) => !byId("drawer-" + id).hidden);
    if (open) { openDrawer(null); byId("open-" + open).focus(); } else closeSheet();
  });
  for (const option of selectById("table-layer").options) {
    option.hidden = option.disabled = (option.value === "hotspots" && !HOTSPOTS.length) || (option.value === "density" && !BANDS.length)
      || (option.value === "overlay" && !OVERLAYS.length);
  }
}

/* ---------- search by name: an ARIA combobox over every area of every level on the map ---------- */

/** @type {{all: (Named & {where: string, kind?: string})[], hits: (Named & {where: string, kind?: string})[], active: number}} */
const finder = { all: [], hits: [], active: -1 };

function startSearch() {
  const levels = MAPPED.filter((id) => id !== "ward_group");
  const find = CONTEXT.points.length ? say("map.search.find_place")
    : levels.length < 2 ? say("map.search.find_one", { level: levelWord(levels[0] || MAPPED[0]) })
    : say("map.search.find_either", {
      small: levels.slice(0, -1).map((id) => levelWord(id)).join(", "), large: levelWord(levels[levels.length - 1]),
    });
  byId("search-label").textContent = find;
  inputById("search").placeholder = find;
  for (const id of levels.slice().reverse()) {
    LEVELS[id].name.forEach((name, i) => {
      const where = id === "ward" ? parentName("ward", i) : capital(LEVELS[id].one);
      finder.all.push({ name, key: name.toLowerCase(), level: id, i, where });
    });
  }
  for (const found of namedContext()) finder.all.push(found);
  const box = inputById("search");
  box.addEventListener("input", showFound);
  box.addEventListener("blur", () => setTimeout(clearFound, 150));
  box.addEventListener("keydown", searchKey);
}

function clearFound() {
  finder.hits = [];
  finder.active = -1;
  byId("found").textContent = "";
  byId("found").hidden = true;
  byId("none-found").hidden = true;
  byId("search").setAttribute("aria-expanded", "false");
  byId("search").removeAttribute("aria-activedescendant");
}

function showFound() {
  const text = inputById("search").value;
  clearFound();
  if (text.trim().length < 2) return;
  finder.hits = matching(finder.all, text);
  const list = byId("found");
  finder.hits.forEach((hit, k) => {
    const row = el("li");
    row.id = "found-" + k;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    add(row, nameEl("span", "nm", hit.name), nameEl("span", "in", hit.where));
    row.addEventListener("mousedown", (event) => { event.preventDefault(); takeFound(hit); });
    list.append(row);
  });
  list.hidden = !finder.hits.length;
  byId("none-found").hidden = finder.hits.length > 0;
  byId("none-found").textContent = nothingFound();
  byId("search").setAttribute("aria-expanded", String(finder.hits.length > 0));
  announce(finder.hits.length ? say("map.search.matches", { n: finder.hits.length }) : nothingFound());
}

/** What can be found where nothing was. @returns {string} */
function nothingFound() {
  const many = {
    station: say("map.context.many.station"), place: say("map.context.many.place"), road: say("map.context.many.road"),
    rail: say("map.context.many.rail"), green: say("map.context.many.green"), water: say("map.context.many.water"),
  };
  const kinds = finder.all.map((f) => (f.level === "context" ? many[/** @type {keyof many} */ (f.kind || "place")] : LEVELS[f.level].many));
  return say("map.search.none", { kinds: listed([...new Set(kinds)]) });
}

/** Named stations, places, roads, parks and water, each name once in its kind. @returns {(Named & {where: string, kind?: string})[]} */
function namedContext() {
  /** @type {Map<string, Named & {where: string, kind?: string}>} */
  const found = new Map();
  const kinds = {
    station: say("map.context.station"), place: say("map.context.place"), road: say("map.context.road"), rail: say("map.context.rail"),
    green: say("map.context.green"), water: say("map.context.water"),
  };
  /** @param {string} kind @param {string} name @param {L.LatLngBoundsLiteral} box */
  const take = (kind, name, box) => {
    const where = kinds[/** @type {keyof kinds} */ (kind)];
    if (!name || !where || found.has(kind + name)) return;
    found.set(kind + name, { name, key: name.toLowerCase(), level: "context", kind, i: targets.push(box) - 1, where });
  };
  for (const { kind, name, place } of CONTEXT.points) take(kind, name, [place, place]);
  for (const { kind, name, lines } of CONTEXT.lines) take(kind, name, lines.flat());
  for (const { kind, name, rings } of CONTEXT.surfaces) take(kind, name, rings.flat());
  return [...found.values()];
}

/** Where a found station, place or road lies. @type {L.LatLngBoundsLiteral[]} */
const targets = [];

/** @param {Named} hit */
function takeFound(hit) {
  inputById("search").value = "";
  clearFound();
  if (hit.level === "context") {
    VIEWS[0].fit(L.latLngBounds(targets[hit.i]), 14.5);
    announce(say("map.search.moved", { name: hit.name }));
    return;
  }
  // A ward is found by its name even where the category is given by groups, or by borough: its own is chosen.
  const shown = shownAs(hit.level, hit.i);
  if (!shown) return;
  if (shown[0] !== state.level) setLevel(shown[0]);
  chooseArea(shown[1], true);
}

/** @param {KeyboardEvent} event */
function searchKey(event) {
  const { hits } = finder;
  if (event.key === "Escape") { inputById("search").value = ""; clearFound(); }
  if (event.key === "Enter" && hits.length) { event.preventDefault(); takeFound(hits[Math.max(0, finder.active)]); }
  if ((event.key === "ArrowDown" || event.key === "ArrowUp") && hits.length) {
    event.preventDefault();
    finder.active = (finder.active + (event.key === "ArrowDown" ? 1 : -1) + hits.length + (finder.active < 0 && event.key === "ArrowUp" ? 1 : 0)) % hits.length;
    [...byId("found").children].forEach((row, k) => row.setAttribute("aria-selected", String(k === finder.active)));
    byId("search").setAttribute("aria-activedescendant", "found-" + finder.active);
  }
}

/* ---------- the period: a bar for each window of the level, from zero; play; breaks as dashed lines ---------- */

/** @type {ReturnType<typeof setInterval> | null} */
let playing = null;

function drawTime() {
  const host = byId("bars");
  host.textContent = "";
  const dense = state.mode === "density";
  const headline = periodOf(state.level, INFO.headline);
  const periods = dense && headline ? [headline] : currentSeries();
  const chosen = Math.max(0, periods.findIndex((p) => p.id === state.period));
  const last = Math.max(1, periods.length - 1);
  const at = (/** @type {number} */ k) => (periods.length === 1 ? "50%" : "calc(10px + " + k / last + " * (100% - 20px))");
  const totals = periods.map((p) => (p.complete ? regionalRange(p.id, state.category) : null));
  const most = Math.max(...totals.map((n) => (n ? n.upper : 0)), 1);
  totals.forEach((n, k) => {
    // The pale part of a bar is what the total may be beyond its least.
    const least = { value: n ? n.lower : 0, name: "tbar" };
    for (const { value, name } of n && n.upper > n.lower ? [{ value: n.upper, name: "tbar maybe" }, least] : [least]) {
      const bar = el("div", name + (k === chosen ? " on" : ""));
      bar.style.left = at(k);
      bar.style.width = "min(28px, " + 62 / periods.length + "%)";
      bar.style.height = n === null ? "2px" : "calc(var(--tall) * " + Math.max(0.04, value / most).toFixed(3) + ")";
      host.append(bar);
    }
    if (k !== chosen || n === null) return;
    const side = periods.length < 2 ? "" : k / last > 0.9 ? " z" : k / last < 0.1 ? " a" : "";
    const total = el("div", "val" + side, countText(n));
    total.style.left = at(k);
    host.append(total);
  });
  for (const b of breaksAt(periods)) {
    const line = el("div", "break"), text = nameEl("span", "", say("map.breaks.when", { text: clip(b.text, 60), month: shortDate(b.month) }));
    line.style.left = at(b.position);
    host.append(add(line, text));
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

/** Texts at the bars keep clear of each other: measured where they stand. */
function settleTime() {
  const host = byId("bars"), boxOf = (/** @type {Element} */ node) => node.getBoundingClientRect();
  const ticks = [...host.querySelectorAll(".tick")], at = ticks.map(boxOf), last = ticks.length - 1;
  // The name of a break stands in the middle over its line, else to one side; where neither leaves the total free, the
  // line stands alone.
  const breaks = [...host.querySelectorAll(".break")].map((line) => /** @type {HTMLElement} */ (line.firstChild));
  for (const text of breaks) text.hidden = !["", "z", "a"].some((name) => { if (text.className !== name) text.className = name; return fitsBar(text, host); });
  // The first and the last tick stay; those between only where they keep clear of what stays.
  if (last < 1) return;
  const kept = [at[0], at[last]];
  ticks.slice(1, last).forEach((tick, k) => { if (kept.some((other) => touches(at[k + 1], other, 8))) tick.remove(); else kept.push(at[k + 1]); });
  if (touches(at[0], at[last], 8)) ticks[0].remove();
}

/** Whether a text lies within the bars' width and clear of the chosen period's total.
 * @param {HTMLElement} text @param {HTMLElement} host @returns {boolean} */
function fitsBar(text, host) {
  const own = text.getBoundingClientRect(), box = host.getBoundingClientRect(), total = host.querySelector(".val");
  const other = total ? total.getBoundingClientRect() : null;
  const clear = !other || own.right + 6 < other.left || other.right + 6 < own.left;
  return clear && own.left >= box.left && own.right <= box.right;
}

/** @param {PeriodFields[]} periods @param {number} chosen @param {CountRange | null} total @param {boolean} dense */
function drawSlider(periods, chosen, total, dense) {
  const slider = inputById("period"), play = /** @type {HTMLButtonElement} */ (byId("play"));
  const window = periods[chosen];
  const alone = periods.length < 2;
  slider.max = String(Math.max(0, periods.length - 1));
  slider.value = String(chosen);
  slider.disabled = play.disabled = alone;
  const region = INFO.region || say("map.region.all_areas_inside");
  const all = total ? say("map.time.total", { period: window.label, counted: counted(total), region }) : window.label;
  slider.setAttribute("aria-valuetext", window.complete ? all : say("map.time.incomplete", { period: all }));
  byId("time").classList.toggle("alone", alone);
  const part = (/** @type {string} */ label) => (window.complete ? label : say("map.time.part", { period: label }));
  if (alone) {
    const others = kindsOf(state.level).length > 1;
    byId("period-lead").textContent = say(dense ? "map.time.density_once" : others ? "map.time.one_of_length" : "map.time.one_period");
    byId("period-now").textContent = part(capital(window.label));
    return;
  }
  // "12 months to" leads, the month it ends in stands out; of "week 27 of 2025 (from 30 June 2025)" the day does.
  const inside = /^(.+) \((.+)\)$/.exec(window.label);
  if (inside) {
    byId("period-lead").textContent = capital(inside[1]);
    byId("period-now").textContent = part(inside[2]);
    return;
  }
  const until = " " + say("map.time.until") + " ", at = window.label.lastIndexOf(until);
  byId("period-lead").textContent = at < 0 ? say("map.time.kind." + window.kind) : window.label.slice(0, at + until.length - 1);
  byId("period-now").textContent = part(at < 0 ? window.label : window.label.slice(at + until.length));
}

/** @param {string} id */
function setPeriod(id) {
  state.period = id;
  redraw();
}

function stopPlaying() {
  if (!playing) return;
  clearInterval(playing);
  playing = null;
  byId("play").setAttribute("aria-label", say("map.time.play"));
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
  byId("play").setAttribute("aria-label", say("map.time.pause"));
  byId("play-icon").setAttribute("href", "#i-pause");
  const k = periods.findIndex((p) => p.id === state.period);
  setPeriod(periods[k >= periods.length - 1 ? 0 : k + 1].id);
  playing = setInterval(step, 950);
}
