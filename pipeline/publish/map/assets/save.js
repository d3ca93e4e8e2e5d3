/* Downloads, made here from what the page holds: CSV, GeoJSON, a link. */

function download(name, type, content) {
  const link = el("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  announce("Saved as " + name);
}

function fileName(ending) {
  const words = [INFO.runName, state.mode === "density" ? "density" : state.level + "-" + state.measure, state.category, state.period];
  return words.join("_").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/\.\./g, "_to_") + "." + ending;
}

/* A cell that a spreadsheet would take for a formula gets an apostrophe; plain numbers stay numbers. */
function csvCell(value) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value !== "number" && /^[\s\u200e\u200f\u202a-\u202e\u2066-\u2069]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text)) text = "'" + text;
  return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
}

function csvText(rows) { return "\ufeff" + rows.map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n"; }

const FIELDS = [
  ["incidents", "nm"], ["incidents_lower", "n"], ["incidents_upper", "nx"], ["incidents_unplaced", "u"],
  ["positive_outcomes", "om"], ["positive_outcomes_lower", "o"], ["positive_outcomes_upper", "ox"],
  ["known_outcomes", "km"], ["known_outcomes_lower", "k"], ["known_outcomes_upper", "kx"], ["rate_per_10000", "r"], ["rate_low", "lo"],
  ["rate_high", "hi"], ["reliability", "rel"], ["outcome_share", "s"], ["outcome_low", "sl"], ["outcome_high", "sh"],
  ["change_pct", "c"], ["change_word", "cw"], ["change_vs_region", "cr"], ["hotspot_class", "g"], ["moran_class", "m"], ["emerging_class", "e"],
];
const LONG_WORDS = { cw: { h: "higher", l: "lower", n: "no clear change", f: "too few", c: "not comparable" }, rel: { u: "unreliable", f: "too few to say" } };
LONG_WORDS.cr = LONG_WORDS.cw;

/* One area in the columns of area_counts.csv. */
function areaRecord(scene, i) {
  const level = LEVELS[scene.level];
  const window = periodOf(scene.level, scene.period);
  const parent = parentOf(scene.level, i);
  const record = {
    area_code: level.code[i], area_name: level.name[i], level: scene.level, parent_code: level.parent[i] || null,
    parent_name: parent ? LEVELS[parent[0]].name[parent[1]] : null, population: level.people[i], covered: level.covered[i],
    period: scene.period, period_start: window ? window.start : null, period_end: window ? window.end : null,
    complete: window ? window.complete : null, category: scene.category,
  };
  const gone = [];
  for (const [name, key] of FIELDS) {
    const value = cell(scene.level, i, scene.period, scene.category, key);
    record[name] = value === NOT_OFFERED ? null : LONG_WORDS[key] && value !== null ? LONG_WORDS[key][value] || value : value;
    if (value === NOT_OFFERED) gone.push(name.replace("_lower", ""));
  }
  record.not_offered = record.withheld = gone.join(";");
  return record;
}

function notesForFiles() {
  return [INFO.synthetic, INFO.counts, INFO.audit, INFO.marking, INFO.publisher, INFO.licence, ...INFO.wording].filter(Boolean);
}

function saveCsv() {
  const scenes = state.compare ? [mainScene(), otherScene()] : [mainScene()];
  const records = scenes.flatMap((scene) => LEVELS[scene.level].code.map((_, i) => areaRecord(scene, i)));
  const head = Object.keys(records[0]);
  if (!byId("drawer-table").hidden && table.layer !== "areas") {
    const text = tableText();
    download(fileName(table.layer + ".csv"), "text/csv", csvText([text.head, ...text.rows]));
    return;
  }
  download(fileName("csv"), "text/csv", csvText([head, ...records.map((r) => head.map((k) => r[k]))]));
}

/* Rings to GeoJSON polygons: outer rings run anticlockwise, a hole belongs to the smallest outer ring around it. */
function toGeometry(rings) {
  const turned = rings.map((points) => points.map(([y, x]) => [x, y]));
  const area = (r) => r.reduce((sum, [x, y], k) => { const [u, v] = r[(k + 1) % r.length]; return sum + x * v - u * y; }, 0) / 2;
  const inside = ([x, y], r) => r.reduce((odd, [x1, y1], k) => { const [x2, y2] = r[(k + 1) % r.length]; return (y1 > y) !== (y2 > y) && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1 ? !odd : odd; }, false);
  const closed = (r) => [...r, r[0]];
  const outer = turned.filter((r) => area(r) > 0).map((r) => ({ ring: r, size: area(r), parts: [closed(r)] }));
  for (const hole of turned.filter((r) => area(r) <= 0)) {
    const corner = [(hole[0][0] + hole[1][0]) / 2, (hole[0][1] + hole[1][1]) / 2];
    const owner = outer.filter((o) => inside(corner, o.ring)).sort((a, b) => a.size - b.size)[0];
    if (owner) owner.parts.push(closed(hole));
  }
  return outer.length === 1 ? { type: "Polygon", coordinates: outer[0].parts } : { type: "MultiPolygon", coordinates: outer.map((o) => o.parts) };
}

function feature(id, rings, properties) { return { type: "Feature", id, properties, geometry: toGeometry(rings) }; }

function shownFeatures() {
  const scene = mainScene();
  if (state.mode === "density") return bandsOf(state.category).map((b) => feature(b.id, b.shape, { density_id: b.id, category: b.category, density_low: b.low, density_high: b.high }));
  return LEVELS[scene.level].code.map((code, i) => feature(code, LEVELS[scene.level].shapes[i], areaRecord(scene, i)));
}

function saveGeoJson() {
  const spots = state.hotspots ? HOTSPOTS.map((h) => feature(h.id, h.shape, { hotspot_id: h.id, rank: h.rank, name: h.name, incidents: h.n, incidents_band: h.band, area_km2: h.km2, density_per_km2: h.density })) : [];
  const features = shownFeatures();
  const text = JSON.stringify({ type: "FeatureCollection", name: state.mode === "density" ? "density" : state.level + "s", notes: notesForFiles(), simplified: true, features: features.concat(table.layer === "hotspots" || state.mode === "density" ? spots : []) });
  download(fileName("geojson"), "application/geo+json", text);
}

function copyLink() {
  const done = (text) => { byId("save-note").textContent = text; announce(text); };
  const shown = () => done("Copy this address: " + location.href);
  if (!navigator.clipboard) { shown(); return; }
  navigator.clipboard.writeText(location.href).then(() => done("Link copied."), shown);
}
