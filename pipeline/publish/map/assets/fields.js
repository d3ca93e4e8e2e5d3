// @ts-check
/* Names that the payload and the script share. Made by `python -m pipeline.publish.map`: change them in
   fields.py. Exports `NOT_OFFERED`, `COLUMNS`, `LETTERS` and the types of the payload. */

/** Stands where a number is not offered. */
export const NOT_OFFERED = "w";

/** Key on the page and column of area_counts.csv. @type {[string, string][]} */
export const COLUMNS = [
  ["nm", "incidents"],
  ["n", "incidents_lower"],
  ["nx", "incidents_upper"],
  ["u", "incidents_unplaced"],
  ["om", "positive_outcomes"],
  ["o", "positive_outcomes_lower"],
  ["ox", "positive_outcomes_upper"],
  ["km", "known_outcomes"],
  ["k", "known_outcomes_lower"],
  ["kx", "known_outcomes_upper"],
  ["r", "rate_per_10000"],
  ["lo", "rate_low"],
  ["hi", "rate_high"],
  ["rel", "reliability"],
  ["f", "funnel_class"],
  ["s", "outcome_share"],
  ["sl", "outcome_low"],
  ["sh", "outcome_high"],
  ["c", "change_pct"],
  ["cw", "change_word"],
  ["cr", "change_vs_region"],
  ["g", "hotspot_class"],
  ["m", "moran_class"],
  ["e", "emerging_class"],
];

/** Column, letter on the page and its word. @type {Record<string, Record<string, string>>} */
export const LETTERS = {
  cw: { h: "higher", l: "lower", n: "no clear change", f: "too few", c: "not comparable" },
  cr: { h: "higher", l: "lower", n: "no clear change", f: "too few", c: "not comparable" },
  f: { L: "low_998", l: "low_95", w: "within", h: "high_95", H: "high_998" },
  rel: { u: "unreliable", f: "too few to say" },
};

/** A break of the series: the month it falls in, and what changed.
 * @typedef {object} BreakFields
 * @property {string} month
 * @property {string} text */

/** Something that happened, marked in the series.
 * @typedef {object} EventFields
 * @property {string} date
 * @property {string} label */

/** What is known of the whole release; texts are empty where there is nothing to say.
 * @typedef {object} InfoFields
 * @property {string} title
 * @property {string} noun
 * @property {string} base
 * @property {string} place
 * @property {string} publisher
 * @property {string} licence
 * @property {string} synthetic
 * @property {string} language
 * @property {string} audience
 * @property {string} marking
 * @property {string} mechanism
 * @property {number} step
 * @property {string} counts
 * @property {string[]} outside
 * @property {string} audit
 * @property {string} region
 * @property {string} headline
 * @property {string} headlineLabel
 * @property {string} headlineNamed
 * @property {string} earlierNamed
 * @property {string} notComparable
 * @property {BreakFields[]} breaks
 * @property {EventFields[]} events
 * @property {string} outcomes
 * @property {boolean} hasPoints
 * @property {string[][]} support
 * @property {string[]} caveats
 * @property {string} insideNote
 * @property {boolean} nonCrime
 * @property {string} densityNote
 * @property {string} hotspotNote
 * @property {string[]} wording
 * @property {string} tiles
 * @property {string} credit
 * @property {string} runName */

/** A category; `detail` is the level with the smallest areas that it is given by, `long` there in longer windows.

    `base` is what its rates are divided by, empty for residents.
 * @typedef {object} CategoryFields
 * @property {string} id
 * @property {string} label
 * @property {string | null} parent
 * @property {string} detail
 * @property {boolean} long
 * @property {string} base */

/** A window: `named` is its label inside a sentence, `kind` one of y, q, m, f (28 days), w, d and l (longer).

    `against` names the window that its changes are against, empty where the level does not show that one; `apart` is
    why the two cannot be compared.
 * @typedef {object} PeriodFields
 * @property {string} id
 * @property {string} label
 * @property {string} named
 * @property {string} start
 * @property {string} end
 * @property {boolean} complete
 * @property {string} kind
 * @property {string} against
 * @property {string} apart */

/** A level's areas, side by side in lists; `values` holds category, column, window, then a cell for each area.

    `key` is the level's name in files.
 * @typedef {object} LevelFields
 * @property {string} key
 * @property {string} one
 * @property {string} many
 * @property {string[]} code
 * @property {string[]} name
 * @property {string[]} parent
 * @property {(number | null)[]} people
 * @property {number | null} year
 * @property {boolean[]} covered
 * @property {string[]} [briefing]
 * @property {PeriodFields[]} periods
 * @property {Record<string, Record<string, Record<string, (number | string | null)[]>>>} values
 * @property {number[][]} [wards]
 * @property {number[][][]} [rings]
 * @property {[number, number, number][]} [labels]
 * @property {Record<string, Record<string, Record<string, number[]>>>} [limits] */

/** A densest part of a large hotspot, numbered 1a; `at` its badge.
 * @typedef {object} CoreFields
 * @property {string} number
 * @property {string} name
 * @property {number} n
 * @property {number | null} km2
 * @property {number[][]} rings
 * @property {[number, number]} at */

/** A hotspot; `n` only where the count is exact, else `band`; `within` are boroughs, `at` its badge.

    `page` is the address of its own page, empty where it has none; `steady` its stability in words, empty where it is
    not measured or not given.
 * @typedef {object} HotspotFields
 * @property {string} id
 * @property {string} category
 * @property {number} rank
 * @property {string} name
 * @property {number | null} n
 * @property {string} band
 * @property {number | null} km2
 * @property {number | null} density
 * @property {string[]} within
 * @property {number[][]} rings
 * @property {[number, number]} at
 * @property {string} page
 * @property {string} steady
 * @property {CoreFields[]} cores */

/** A band of density, per square kilometre, and the per cent of all that it holds with those above it.
 * @typedef {object} BandFields
 * @property {string} id
 * @property {string} category
 * @property {number} low
 * @property {number | null} high
 * @property {number | null} share
 * @property {number[][]} rings */

/** A cell, circle or street of an overlay: `shade` is its place in the key, `rings` are differences of whole units.

    Of an overlay of lines, `rings` are open.
 * @typedef {object} OverlayFeatureFields
 * @property {string} category
 * @property {number} shade
 * @property {number[][]} rings
 * @property {string[]} row */

/** What a test found: `columns` name the texts of each feature, `keys` are colour, opacity and words.
 * @typedef {object} OverlayFields
 * @property {string} id
 * @property {string} name
 * @property {boolean} [lines]
 * @property {string} note
 * @property {string[]} columns
 * @property {[string, number, string][]} keys
 * @property {OverlayFeatureFields[]} features */

/** Roads or rails of one rank and name, as differences of whole units, x and y in turn.
 * @typedef {object} LineFields
 * @property {string} kind
 * @property {number} rank
 * @property {string} name
 * @property {number[][]} parts */

/** Water, green or a building: its rings, and the middle and radius in metres of the largest circle inside.
 * @typedef {object} SurfaceFields
 * @property {string} kind
 * @property {string} name
 * @property {number[][]} parts
 * @property {[number, number, number]} at */

/** A station or a place; rank 1 is the most important.
 * @typedef {object} PointFields
 * @property {string} kind
 * @property {string} name
 * @property {number} rank
 * @property {[number, number]} at */

/** What is drawn under the hotspots so that a reader knows the place, and whom to credit for it.
 * @typedef {object} ContextFields
 * @property {string[]} credits
 * @property {LineFields[]} lines
 * @property {SurfaceFields[]} surfaces
 * @property {PointFields[]} points */

/** A statement that the page opens with, in pieces with their stress, and what the map shows for it.

    `measure` and `level` are empty where they stay as they are; the map moves to the areas of `codes`, or shows all.
    `period` is empty for the headline.
 * @typedef {object} AttentionFields
 * @property {string} kind
 * @property {[string, boolean][]} text
 * @property {string} tested
 * @property {string} category
 * @property {string} measure
 * @property {string} level
 * @property {string[]} codes
 * @property {boolean} hotspots
 * @property {string} period */

/** Everything on the page. Rings refer to `arcs`, which neighbours share.
 * @typedef {object} Payload
 * @property {InfoFields} info
 * @property {Record<string, string | Record<string, string>>} words
 * @property {CategoryFields[]} categories
 * @property {number[][]} arcs
 * @property {number[][]} edge
 * @property {number[][]} water
 * @property {Record<string, LevelFields>} levels
 * @property {HotspotFields[]} hotspots
 * @property {BandFields[]} density
 * @property {ContextFields} context
 * @property {AttentionFields[]} attention
 * @property {OverlayFields[]} overlays */
