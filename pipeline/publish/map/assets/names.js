/* Names on the map: the largest areas first, never over one another and never over a badge. */

const textMeter = document.createElement("canvas").getContext("2d");
let fontFamily = "";

function nameLines(name, most) {
  const text = clip(name.replace(/ and /g, " & "), 40);
  const words = text.split(" ");
  if (text.length <= most || words.length < 2) return [text];
  let best = 1, shortest = Infinity;
  for (let k = 1; k < words.length; k++) {
    const longer = Math.max(words.slice(0, k).join(" ").length, words.slice(k).join(" ").length) + (words[k] === "&" ? -0.4 : 0);
    if (longer < shortest) { shortest = longer; best = k; }
  }
  return [words.slice(0, best).join(" "), words.slice(best).join(" ")];
}

/* What every name of a level ends with, in brackets, says nothing on the map. */
function shortName(level, i) {
  if (level.ending === undefined) {
    const [, ending] = / (\([^()]+\))$/.exec(level.name[0]) || [];
    level.ending = ending && level.name.length > 1 && level.name.every((n) => n.endsWith(" " + ending)) ? ending : "";
  }
  return level.ending ? level.name[i].slice(0, -level.ending.length - 1) : level.name[i];
}

class Placer {
  constructor(view) {
    this.view = view;
    this.taken = [];
    if (!fontFamily) fontFamily = getComputedStyle(document.body).fontFamily;
  }

  block(left, top, right, bottom) { this.taken.push([left, top, right, bottom]); }

  free(left, top, right, bottom) {
    return !this.taken.some((q) => left < q[2] && right > q[0] && top < q[3] && bottom > q[1]);
  }

  inside(left, top, right, bottom) {
    const { min, max } = this.view.map.getPixelBounds();
    return left > min.x && right < max.x && top > min.y && bottom < max.y;
  }

  width(text, font) { textMeter.font = font + " " + fontFamily; return textMeter.measureText(text).width; }

  /* Put lines near a point; try a little up and down; give up rather than overlap. */
  put(className, lines, latlng, { font, height, room, offsets }) {
    const wide = Math.max(...lines.map((t) => this.width(t, font)));
    if (wide > room) return false;
    const tall = lines.length * height;
    const p = this.view.map.project(latlng);
    for (const k of offsets) {
      const y = p.y + k * tall;
      const box = [p.x - wide / 2 - 3, y - tall / 2 - 1, p.x + wide / 2 + 3, y + tall / 2 + 1];
      if (!this.free(...box) || (this.view.small && !this.inside(...box))) continue;
      this.block(...box);
      this.mark(className, lines, this.view.map.unproject([p.x, y]));
      return true;
    }
    return false;
  }

  mark(className, lines, latlng) {
    const label = el("span");
    lines.forEach((text, k) => { if (k) label.append(el("br")); label.append(isolate(text)); });
    L.marker(latlng, { pane: "names", interactive: false, keyboard: false,
      icon: L.divIcon({ className: "name " + className, html: label, iconSize: [0, 0] }) }).addTo(this.view.groups.names);
  }
}

function placeNames(view) {
  const placer = new Placer(view);
  const { map } = view;
  const scene = view.scene();
  for (const badge of view.badges || []) placer.block(badge.x - 12, badge.y - 12, badge.x + 12, badge.y + 12);
  if (view.small) { placeBoroughNames(placer, scene); return; }
  if (state.area !== null && !isPhone()) placePicked(placer, view);
  if (!state.names) return;
  placeBoroughNames(placer, scene);
  const level = LEVELS[scene.level];
  if (!isDetailed(scene.level) || (map.getZoom() < 12 && level.code.length > 60)) return;
  const inside = map.getPixelBounds();
  const deep = { 5: [3, 4], 7: [0, 6] }[rampOf(scene).length];
  order(level).forEach(([[x, y, r], i]) => {
    const latlng = L.latLng(y / UNIT, x / UNIT);
    if (!inside.contains(map.project(latlng))) return;
    const found = valueOf(scene, i);
    const ends = scene.measure === "change" ? [0, 4] : deep;
    const dark = scene.mode === "areas" && scene.measure !== "count" && found.state === "ok" && ends.includes(classOf(found.value, sharedLimits()));
    placer.put("ward" + (dark ? " inverse" : ""), nameLines(shortName(level, i), 11), latlng,
      { font: "400 11px", height: 12.5, room: roomOf(map, latlng, r) * 1.25, offsets: [0] });
  });
}

function order(level) { return level.labels.map((l, i) => [l, i]).sort((a, b) => b[0][2] - a[0][2] || a[1] - b[1]); }

/* Diameter of the free circle, in pixels. */
function roomOf(map, latlng, radius) {
  const metres = (156543.034 * Math.cos((latlng.lat * Math.PI) / 180)) / Math.pow(2, map.getZoom());
  return (2 * radius) / metres;
}

function placeBoroughNames(placer, scene) {
  if (!MAPPED.includes("borough")) return;
  const { map } = placer.view;
  const size = isPhone() || placer.view.small ? 10.5 : 11.5;
  order(LEVELS.borough).forEach(([[x, y, r], i]) => {
    const latlng = L.latLng(y / UNIT, x / UNIT);
    const name = shortName(LEVELS.borough, i);
    const room = roomOf(map, latlng, r) * 1.4 + 6;
    for (const lines of [nameLines(name, 11), [name.split(" ")[0]]]) {
      if (lines.length === 1 && lines[0] !== name && !/^City of /.test(name)) continue;
      if (placer.put("borough", lines, latlng, { font: "700 " + size + "px", height: size + 1.5, room, offsets: [0, -0.75, 0.75, -1.3, 1.3] })) break;
    }
  });
}

/* The chosen area's tag: above, below or beside it, wherever nothing else is. */
function placePicked(placer, view) {
  const { map } = view;
  const box = L.latLngBounds(LEVELS[state.level].shapes[state.area].flat());
  const a = map.project(box.getNorthWest()), b = map.project(box.getSouthEast());
  const name = clip(LEVELS[state.level].name[state.area], 40);
  const half = placer.width(name, "700 12px") / 2 + 9;
  const middle = (a.x + b.x) / 2;
  const places = [[middle, a.y - 15, ""], [middle, b.y + 15, " below"], [b.x + half + 4, (a.y + b.y) / 2, " beside"], [a.x - half - 4, (a.y + b.y) / 2, " beside"]];
  const [x, y, where] = places.find(([px, py]) => placer.free(px - half, py - 11, px + half, py + 11)) || places[0];
  placer.block(x - half, y - 12, x + half, y + 12);
  if (b.x - a.x < 90) placer.block(a.x, a.y, b.x, b.y);
  placer.mark("picked" + where, [name], map.unproject([x, y]));
}
