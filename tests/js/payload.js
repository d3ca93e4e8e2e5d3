/* A small release to try the script on: one region, two boroughs of two wards each, one category and two years.

   Borough A is the square from 0 to 2 degrees east, B from 2 to 4, both from 50 to 52 north; wards halve them. */

/** Rings by corners: an arc from each corner to the next, in hundred-thousandths of a degree. */
function arcs(...squares) {
  return squares.map(([west, south, east, north]) => {
    const [x, y, w, h] = [west, south, east - west, north - south].map((degrees) => Math.round(degrees * 1e5));
    return [x, y, w, 0, 0, h, -w, 0, 0, -h];
  });
}

export const THIS_YEAR = "2024-01..2024-12", LAST_YEAR = "2023-01..2023-12";
const PERIODS = [
  { id: LAST_YEAR, label: "2023", named: "2023", start: "2023-01", end: "2023-12", complete: true, kind: "y" },
  { id: THIS_YEAR, label: "2024", named: "2024", start: "2024-01", end: "2024-12", complete: true, kind: "y" },
];

/** Columns of one category: each with the cells of both years, or of the second alone. */
export function columns(given) {
  return Object.fromEntries(Object.entries(given).map(([key, cells]) => [key, { [THIS_YEAR]: cells }]));
}

/** The payload; `change` may alter it before it is returned. */
export function payload(change = () => {}) {
  const level = (one, many, code, name, parent, people, rings, all) => ({
    key: one, one, many, code, name, parent, people, year: 2024, covered: code.map(() => true), periods: PERIODS,
    values: { all: columns(all) }, rings, labels: code.map((_, k) => [(k + 0.5) * 1e5, 51e5, 30000 - k]),
    limits: { y: { all: { rate: [5, 10, 20, 40], count: [10, 50, 100, 200], outcomes: [0.1, 0.2, 0.3, 0.4] } } },
  });
  const made = {
    info: {
      title: "Hate crime", noun: "offences", place: "Anytown", publisher: "Police", licence: "", synthetic: "",
      language: "en", audience: "internal", marking: "", mechanism: "exact", step: 1, counts: "", outside: [],
      audit: "", region: "Anytown", headline: THIS_YEAR, headlineLabel: "2024", headlineNamed: "2024", earlierNamed: "2023", notComparable: "", breaks: [],
      events: [], outcomes: "cohort", hasPoints: true, support: [], caveats: [], insideNote: "", nonCrime: false, densityNote: "", hotspotNote: "",
      wording: [], tiles: "", credit: "", runName: "test",
    },
    words: {},
    categories: [
      { id: "all", label: "All", parent: null, detail: "ward", long: false },
      { id: "faith", label: "Faith", parent: "all", detail: "borough", long: false },
    ],
    arcs: arcs([0, 50, 2, 52], [2, 50, 4, 52], [0, 50, 1, 52], [1, 50, 2, 52], [2, 50, 3, 52], [3, 50, 4, 52], [0, 50, 4, 52]),
    edge: [[6]],
    water: [],
    levels: {
      region: level("region", "regions", ["R"], ["Anytown"], [""], [100000], undefined, { n: [400], nx: [400], nm: [400], r: [40], cw: ["n"] }),
      borough: level("borough", "boroughs", ["A", "B"], ["Ash", "Birch"], ["R", "R"], [40000, 60000], [[[0]], [[1]]],
        { n: [100, 300], nx: [100, 300], nm: [100, 300], r: [25, 50], lo: [20, 44], hi: [30, 56], cw: ["n", "h"], c: [1, 20] }),
      ward: level("ward", "wards", ["A1", "A2", "B1", "B2"], ["Ash North (old)", "Ash South (old)", "Ashby (old)", "Birch End (old)"], ["A", "A", "B", "B"],
        [20000, 20000, 0, 30000], [[[2]], [[3]], [[4]], [[5]]],
        {
          n: [50, 50, 40, "w"], nx: [50, 50, 40, null], nm: [50, 50, 40, null], r: [25, 25, null, "w"], lo: [20, 20, null, null],
          hi: [32, 32, null, null], cw: ["l", "f", "c", null], c: [-20, null, null, null],
        }),
    },
    hotspots: [],
    density: [],
    context: { credits: [], lines: [], surfaces: [], points: [] },
    attention: [],
    overlays: [],
  };
  change(made);
  return made;
}

/** Change a payload: both boroughs lie in one county, a third level. */
export function withCounty(made) {
  made.levels.level_3 = {
    ...made.levels.borough, key: "county", one: "county", many: "counties", code: ["C"], name: ["Shire"], parent: ["R"], people: [100000],
    covered: [true], rings: [[[6]]], labels: [[2e5, 51e5, 60000]],
    values: { all: columns({ n: [400], nx: [400], nm: [400], r: [40], lo: [36], hi: [44], cw: ["h"], c: [15] }) },
  };
  made.levels.borough.parent = ["C", "C"];
}
