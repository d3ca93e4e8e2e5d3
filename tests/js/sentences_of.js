/* Writes every sentence that the map says of a payload on standard input, each with what it is said of;
   tests/publish/test_sentences_true.py holds them against the tables. */

import { readFileSync } from "node:fs";
import { CATEGORIES, INFO, LEVELS, MAPPED, kindsOf, seriesOf, takeIn } from "../../pipeline/publish/map/assets/data.js";
import { SHOWN_MEASURES, begin, levelsOf, state } from "../../pipeline/publish/map/assets/model.js";
import {
  areaSentence, careTexts, changeSentence, clusterSentence, guideParts, headingOf, noticeOf, outcomeSentence, regionSentence,
  seriesNote, spotNote, subtitleOf, unitOf, valueText,
} from "../../pipeline/publish/map/assets/sentences.js";
import { useWords } from "../../pipeline/publish/map/assets/words.js";

const payload = JSON.parse(readFileSync(0, "utf8"));
useWords(payload.words, payload.info.language);
takeIn(payload);
begin();

/** The text of segments. */
function text(segments) { return segments.map(([piece]) => piece).join(""); }

const said = [];
function add(kind, about, sentence) { if (sentence) said.push({ kind, ...about, text: sentence }); }

for (const level of MAPPED) for (const category of CATEGORIES.filter((c) => levelsOf(c.id).includes(level))) {
  for (const period of LEVELS[level].periods) {
    for (const measure of SHOWN_MEASURES) {
      const scene = { level, mode: "areas", category: category.id, measure, period: period.id };
      Object.assign(state, { level, category: category.id, measure, period: period.id, mode: "areas" });
      const about = { level, category: category.id, period: period.id, measure };
      add("heading", about, headingOf(scene));
      add("subtitle", about, subtitleOf(scene));
      add("unit", about, text(unitOf(scene)));
      const notice = noticeOf();
      add("notice", about, notice && notice.text);
      LEVELS[level].code.forEach((area, i) => add("value", { ...about, area }, valueText(scene, i)));
      if (measure !== SHOWN_MEASURES[0]) continue;
      add("region", { ...about, area: LEVELS.region ? LEVELS.region.code[0] : "" }, text(regionSentence(level, scene)));
      LEVELS[level].code.forEach((area, i) => {
        add("area", { ...about, area }, text(areaSentence(scene, i)));
        add("change", { ...about, area }, changeSentence(scene, i));
        add("outcome", { ...about, area }, text(outcomeSentence(scene, i)));
        add("cluster", { ...about, area }, clusterSentence(scene, i));
      });
    }
  }
  for (const kind of kindsOf(level)) add("series", { level, category: category.id }, seriesNote(seriesOf(level, kind), kind, false));
}
for (const sentence of careTexts()) add("care", {}, sentence);
for (const { title, texts } of guideParts()) for (const sentence of texts || []) add("guide", { title }, sentence);
add("hotspots", {}, spotNote());
process.stdout.write(JSON.stringify({ place: INFO.place, said }));
