// @ts-check
/* Words: texts by key from the catalogue (publish/words/*.toml), and how numbers and dates are written with them.

   Exports `useWords`, `say`, `parts` for texts; `whole`, `countText`, `rangeText`, `rateText`, `shareText`,
   `shareRangeText`, `signed`, `limitText`, `ordinal`, `timesText`, `timesRangeText` for numbers;
   `shortDate`, `capital`, `clip`, `isolate` for the rest. The same rules stand in publish/words in Python; a test
   compares them over every key. Nothing here touches the page. */

/** @typedef {string | Record<string, string>} Wording a text, or its plural forms by their CLDR names */
/** @typedef {[string, boolean]} Segment words, and whether they are stressed */
/** @typedef {Record<string, string | number | Segment[]>} Values */

/** @type {Record<string, Wording>} */
let catalogue = {};
/** @type {Intl.PluralRules | null} */
let pluralRules = null;
/** What rates are divided by; empty for residents. */
let usualBase = "";

/** Take the words of a language.
 * @param {Record<string, Wording>} words texts by key
 * @param {string} language language tag, whose plural rules apply
 * @param {string} [base] what rates are divided by where a text is given no `base`; empty for residents */
export function useWords(words, language, base = "") {
  catalogue = words;
  usualBase = base;
  try {
    pluralRules = new Intl.PluralRules(language);
  } catch (error) {
    pluralRules = new Intl.PluralRules("en"); // not a language tag: a page in English is better than none
  }
}

/** @param {Values} values @returns {string} */
function baseOf(values) { return String(values.base === undefined ? usualBase : values.base); }

/** The text of a key with its placeholders, in the form that the number takes; a key without words shows itself.
 * @param {string} key @param {Values} values @returns {string} */
function textOf(key, values) {
  // A text on residents alone has a form beside it for any other base of rates.
  const other = key + "_other";
  const used = baseOf(values) && Object.prototype.hasOwnProperty.call(catalogue, other) ? other : key;
  const found = Object.prototype.hasOwnProperty.call(catalogue, used) ? catalogue[used] : key;
  if (typeof found === "string") return found;
  const form = typeof values.n === "number" && pluralRules ? pluralRules.select(Math.abs(values.n)) : "other";
  return found[form] || found.other || key;
}

/** @param {string} text @param {Values} values @returns {Segment[]} */
function filled(text, values) {
  /** @type {Segment[]} */
  const out = [];
  text.split(/\{(\w+)\}/).forEach((piece, place) => {
    if (place % 2 === 0) {
      if (piece) out.push([piece, false]);
      return;
    }
    if (piece === "base") {
      out.push([baseOf(values) || say("common.residents"), false]);
      return;
    }
    const given = Object.prototype.hasOwnProperty.call(values, piece) ? values[piece] : "\u2026";
    if (Array.isArray(given)) out.push(...given);
    else out.push([piece === "n" && typeof given === "number" ? whole(given) : String(given), false]);
  });
  return out;
}

/** The words of a key with its values put in; `n`, a whole number, also chooses the plural form.
 * @param {string} key @param {Values} [values] @returns {string} */
export function say(key, values = {}) {
  return filled(textOf(key, values), values).map(([text]) => text).join("");
}

/** The words of a key in segments: those between double asterisks are stressed, and so are values that are segments.
 * @param {string} key @param {Values} [values] @returns {Segment[]} */
export function parts(key, values = {}) {
  /** @type {Segment[]} */
  const out = [];
  textOf(key, values).split(/\*\*(.+?)\*\*/).forEach((piece, place) => {
    for (const [text, own] of filled(piece, values)) {
      const stressed = own || place % 2 === 1;
      const last = out[out.length - 1];
      if (last && last[1] === stressed) last[0] += text;
      else out.push([text, stressed]);
    }
  });
  return out;
}

/* ---------- numbers ---------- */

/** @param {number} value @returns {number} the nearest whole number, halves away from zero */
function halfUp(value) { return Math.sign(value) * Math.floor(Math.abs(value) + 0.5); }

/** A whole number, as a count is written.
 * @param {number} n @returns {string} */
export function whole(n) {
  const digits = String(Math.abs(halfUp(n))).replace(/\B(?=(\d{3})+(?!\d))/g, () => say("number.thousands"));
  return halfUp(n) < 0 ? say("number.minus") + digits : digits;
}

/** A count by the range that it lies in.
 * @param {{lower: number, upper: number}} range @returns {string} */
export function countText({ lower, upper }) {
  if (lower === upper) return whole(lower);
  return lower === 0 ? say("number.fewer_than", { limit: whole(upper + 1) }) : say("number.range", { low: whole(lower), high: whole(upper) });
}

/** Two ends of a range in the same words are one number.
 * @param {number} low @param {number} high @param {(value: number) => string} text @returns {string} */
export function rangeText(low, high, text) {
  return text(low) === text(high) ? text(low) : say("number.range", { low: text(low), high: text(high) });
}

/** @param {number} v @returns {string} one decimal under 10, none above */
export function rateText(v) { return v >= 9.95 ? whole(v) : v.toFixed(1); }

/** A share between 0 and 1; what is neither nothing nor everything never looks like it.
 * @param {number} share @returns {string} */
export function shareText(share) {
  const pct = halfUp(share * 100);
  if (pct === 0 && share > 0) return say("number.under_one_per_cent");
  return pct === 100 && share < 1 ? say("number.over_99_per_cent") : pct + "%";
}

/** A share that lies in a range, one end of which may say nothing.
 * @param {number} low @param {number} high @returns {string} */
export function shareRangeText(low, high) {
  if (shareText(low) === shareText(high)) return shareText(low);
  const nothing = low < 0.005, everything = high > 0.995;
  if (nothing && everything) return say("number.any_share");
  if (nothing) return say("number.at_most", { share: shareText(high) });
  return everything ? say("number.at_least", { share: shareText(low) }) : rangeText(low, high, shareText);
}

/** @param {number} change in per cent @returns {string} with its sign */
export function signed(change) { return (halfUp(change) > 0 ? "+" : "") + whole(change) + "%"; }

/** A limit of a class, to four figures.
 * @param {number} v @returns {string} */
export function limitText(v) {
  if (v < 0) return say("number.minus") + limitText(-v);
  return v >= 1000 ? whole(v) : String(Number(v.toPrecision(4)));
}

/** @param {number} n @returns {string} a place in an order */
export function ordinal(n) {
  const ending = n % 100 >= 10 && n % 100 <= 20 ? "th" : ["th", "st", "nd", "rd"][n % 10] || "th";
  return say("number.ordinal", { n, ending });
}

/** @param {number} ratio from 1.95 on @returns {string} to the half, and from 4.75 on to the whole number */
function nearText(ratio) { return ratio < 4.75 ? String(Math.round(ratio * 2) / 2).replace(".5", "\u00bd") : whole(ratio); }

/** A rate over that of a place.
 * @param {number} ratio @param {string} place @returns {string} */
export function timesText(ratio, place) {
  if (ratio >= 1.95) return say("number.times.about", { times: nearText(ratio), place });
  if (ratio >= 1.1) return say("number.times.above", { pct: halfUp((ratio - 1) * 100), place });
  return ratio > 0.9 ? say("number.times.close", { place }) : say("number.times.below", { pct: halfUp((1 - ratio) * 100), place });
}

/** The same of a ratio that lies in a range: only what holds for all of it.
 * @param {number} low @param {number} high @param {string} place @returns {string} */
export function timesRangeText(low, high, place) {
  if (timesText(low, place) === timesText(high, place)) return timesText(low, place);
  const above = halfUp((high - 1) * 100), below = halfUp((1 - low) * 100);
  if (low >= 1.95) return say("number.times.about_range", { low: nearText(low), high: nearText(high), place });
  if (low >= 1.1 && high >= 1.95) return say("number.times.range", { low: low.toFixed(1), high: high.toFixed(1), place });
  if (low >= 1.1) return say("number.times.above_range", { low: halfUp((low - 1) * 100), high: above, place });
  if (high <= 0.9) return say("number.times.below_range", { low: halfUp((1 - high) * 100), high: below, place });
  if (low > 0.9) return say("number.times.close_or_above", { pct: above, place });
  if (high < 1.1) return say("number.times.close_or_below", { pct: below, place });
  return say("number.times.between", { below, above, place });
}

/* ---------- dates and names ---------- */

/** @param {string} iso a month or day @returns {string} its month: "Jul 2025" */
export function shortDate(iso) {
  return say("month.in_year", { month: say("month.short." + Number(iso.slice(5, 7))), year: iso.slice(0, 4) });
}

/** Names as a list in a sentence; words.listed in Python. @param {string[]} names @returns {string} */
export function listed(names) {
  if (names.length < 2) return names.join("");
  return say("number.list_last", { first: names.slice(0, -1).join(say("number.list_joint")), last: names[names.length - 1] });
}

/** @param {string} text @returns {string} */
export function capital(text) { return text.charAt(0).toUpperCase() + text.slice(1); }

/** @param {string} text @param {number} length @returns {string} at most so many letters */
export function clip(text, length) {
  const letters = Array.from(text);
  return letters.length > length ? letters.slice(0, length - 1).join("") + "\u2026" : text;
}

/** Names keep their own direction, so that a stray override cannot turn the words around them.
 * @param {string} text @returns {string} */
export function isolate(text) { return /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(text) ? "\u2068" + text + "\u2069" : text; }
