/* Levels: each category is given by ward, by group of neighbouring wards or by borough alone, never by two of them. */

const DETAILED = ["ward", "ward_group"];

function isDetailed(levelId) { return DETAILED.includes(levelId); }

/* The levels that a category is given by, smallest areas first; never none. */
function levelsOf(categoryId) {
  const offered = MAPPED.filter((id) => !isDetailed(id) || id === categoryOf(categoryId).detail);
  return offered.length ? offered : MAPPED.slice(0, 1);
}

/* The group that holds a ward. */
function groupOf(ward) { return LEVELS.ward_group ? LEVELS.ward_group.wards.findIndex((wards) => wards.includes(ward)) : -1; }

/* Names of the wards in a group; none of any other area. */
function wardsOf(levelId, i) { return levelId === "ward_group" ? LEVELS.ward_group.wards[i].map((w) => shortName(LEVELS.ward, w)) : []; }

/* An area as the category on the map has it: itself, the group or the borough that holds it; null if there is none. */
function shownAs(levelId, i) {
  const offered = levelsOf(state.category);
  if (offered.includes(levelId)) return [levelId, i];
  if (levelId === "ward" && offered.includes("ward_group") && groupOf(i) >= 0) return ["ward_group", groupOf(i)];
  const parent = parentOf(levelId, i);
  return parent && offered.includes(parent[0]) ? parent : null;
}

/* Moves to a level that the category is given by; whoever had small areas gets them back with the next category. */
function settleLevel() {
  const offered = levelsOf(state.category);
  const level = state.detailed || !offered.includes("borough") ? offered[0] : "borough";
  if (level === state.level) return;
  const area = state.area === null ? null : shownAs(state.level, state.area);
  state.level = level;
  state.area = area && area[0] === level ? area[1] : null;
  if (!periodOf(level, state.period)) state.period = INFO.headline;
}

function detailNote() {
  const detail = categoryOf(state.category).detail;
  if (state.mode === "density" || detail === "ward" || !LEVELS.borough) return "";
  const smaller = levelWord("ward", true);
  if (detail === "borough") return "Given by " + levelWord("borough") + " only, because too few smaller areas would have a number.";
  return "Given by groups of neighbouring " + smaller + ", because too few single " + smaller + " would have a number.";
}

/* The choice of level under the category that decides what there is to choose. */
function drawLevels() {
  const choices = levelsOf(state.category).map((id) => ({ value: id, text: capital(clip(levelWord(id, true), 15)) }));
  if (BANDS.length) choices.push({ value: "density", text: "Density" });
  const names = choices.map((c) => c.value).join();
  if (byId("map-seg").dataset.names !== names) {
    segment("map-seg", "map", choices, (value) => { if (value === "density") setDensity(); else setLevel(value); announceState(); });
    byId("map-seg").dataset.names = names;
  }
  byId("maps").hidden = choices.length < 2;
  byId("detail-note").textContent = detailNote();
  byId("detail-note").hidden = !detailNote();
}
