// @ts-check
/* What deserves attention: tested statements that the page opens with, each with its evidence on the map and a copy.

   Exports `drawAttention`; `evidenceOf`, what the state becomes for a statement; `hasEvidence`; and `copyText`, what is
   copied. */

import { capital, isolate, say } from "./words.js";
import { ATTENTION, HOTSPOTS, INFO, LEVELS, MAPPED, periodOf } from "./data.js";
import { SHOWN_MEASURES, act, isDetailed, levelsOf, state } from "./model.js";
import { sourceText } from "./sentences.js";
import { add, announce, byId, button, el, isPhone, nodesOf } from "./page.js";
import { VIEWS } from "./view.js";
import { goHome } from "./stage.js";
import { notesForFiles } from "./table.js";

/** @import { AttentionFields } from "./fields.js" */
/** @import { Measure, State } from "./model.js" */

/** What the state becomes so that the map shows a statement's evidence; the measure stays where none is named.
 * @param {AttentionFields} found @returns {Partial<State>} */
export function evidenceOf(found) {
  const measure = /** @type {Measure} */ (found.measure);
  const level = levelsOf(found.category).includes(found.level) ? found.level : levelsOf(found.category)[0];
  return {
    mode: "areas",
    compare: null,
    category: found.category,
    period: periodOf(found.level ? level : state.level, found.period) ? found.period : INFO.headline,
    ...(found.level ? { level, detailed: isDetailed(level), area: null } : {}),
    ...(SHOWN_MEASURES.includes(measure) ? { measure } : {}),
    ...(found.hotspots && HOTSPOTS.length ? { hotspots: true, hotspot: null, tab: "hotspots" } : {}),
  };
}

/** Whether the map shows anything for a statement. @param {AttentionFields} found @returns {boolean} */
export function hasEvidence(found) { return Boolean(found.measure || found.level || found.codes.length || found.hotspots); }

/** The sentence with how it was tested, whose numbers they are and what to keep in mind.
 * @param {AttentionFields} found @returns {string} */
export function copyText(found) {
  const sentence = found.text.map(([piece]) => piece).join("");
  const window = periodOf(LEVELS[found.level] ? found.level : MAPPED[0], found.period);
  const about = [INFO.title, INFO.place, capital(window ? window.label : INFO.headlineLabel), sourceText()].filter(Boolean).join(". ");
  // The source stands with the rest of what the sentence is about: once is enough.
  const notes = notesForFiles().filter((note) => note !== INFO.publisher);
  return [sentence, found.tested, about, ...notes].filter(Boolean).join("\n");
}

export function drawAttention() {
  const list = byId("attention-list");
  list.textContent = "";
  byId("attention").hidden = !ATTENTION.length;
  ATTENTION.forEach((found, k) => {
    const text = add(el("p"), ...nodesOf(found.text.map(([piece, stressed]) => [isolate(piece), stressed])));
    text.id = "attention-" + k;
    const done = el("div", "done");
    const does = [
      ...(hasEvidence(found) ? [button("linkbutton", say("map.attention.show"), () => show(found, done))] : []),
      button("linkbutton", say("map.attention.copy"), () => copy(found, done)),
    ];
    for (const each of does) each.setAttribute("aria-describedby", text.id);
    const item = add(el("li"), text);
    if (found.tested) item.append(el("p", "tested", isolate(found.tested)));
    list.append(add(item, add(el("div", "does"), ...does), done));
  });
}

/** @param {HTMLElement} done @param {string} text shown under the statement, and said to a screen reader */
function report(done, text) {
  for (const other of byId("attention-list").querySelectorAll(".done")) other.textContent = "";
  done.textContent = text;
  announce(text);
}

/** @param {AttentionFields} found @param {HTMLElement} done */
function show(found, done) {
  act.stopPlaying();
  Object.assign(state, { instead: false }, evidenceOf(found));
  act.redraw();
  act.showTab(state.tab);
  const level = LEVELS[found.level];
  const points = level ? found.codes.flatMap((code) => level.shapes[/** @type {number} */ (level.at.get(code))] || []).flat() : [];
  if (points.length) VIEWS[0].fit(L.latLngBounds(points), 12.5);
  else { state.view = null; goHome(); }
  if (isPhone()) byId("maps-frame").scrollIntoView({ block: "start" });
  report(done, say("map.attention.shown", { map: byId("heading").textContent + ", " + byId("subtitle").textContent }));
}

/** @param {AttentionFields} found @param {HTMLElement} done */
function copy(found, done) {
  const text = copyText(found);
  const copied = () => report(done, say("map.attention.copied"));
  const marked = () => {
    // Where a browser forbids copying, as some do for files, the text is there to be copied by hand.
    report(done, say("map.attention.cannot_copy"));
    const box = el("textarea");
    box.value = text;
    box.readOnly = true;
    box.setAttribute("aria-label", say("map.attention.text"));
    done.append(box);
    box.select();
  };
  if (!navigator.clipboard) { marked(); return; }
  navigator.clipboard.writeText(text).then(copied, marked);
}
