/* Small helpers: elements made with text only, numbers in words that people read. */

const root = document.documentElement;
const SVG_NS = "http://www.w3.org/2000/svg";

function byId(id) { return document.getElementById(id); }

function el(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function add(parent, ...children) { parent.append(...children); return parent; }

function bold(text) { return el("b", "", text); }

function svgEl(name, attributes, text) {
  const node = document.createElementNS(SVG_NS, name);
  for (const key of Object.keys(attributes || {})) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  return node;
}

function icon(id) {
  const picture = svgEl("svg", { class: "i", "aria-hidden": "true" });
  picture.append(svgEl("use", { href: "#" + id }));
  return picture;
}

function button(className, text, action) {
  const node = el("button", className, text);
  node.type = "button";
  node.addEventListener("click", action);
  return node;
}

function token(name) { return getComputedStyle(root).getPropertyValue("--" + name).trim(); }

function isPhone() { return window.innerWidth <= 760; }

/* ---------- numbers ---------- */

const MINUS = "\u2212";

function whole(n) { return String(Math.round(n)).replace(/\B(?=(\d{3})+(?!\d))/g, ","); }

/* A count by the range that it lies in; words.count_text in Python. */
function countText({ lower, upper }) {
  if (lower === upper) return whole(lower);
  return lower === 0 ? "fewer than " + whole(upper + 1) : whole(lower) + " to " + whole(upper);
}

/* Two ends of a range in the same words are one number. */
function rangeText(low, high, text) { return text(low) === text(high) ? text(low) : text(low) + " to " + text(high); }

function rateText(v) { return v >= 9.95 ? whole(v) : v.toFixed(1); }

function signed(v, digits) {
  const size = Math.abs(v).toFixed(digits || 0);
  if (Number(size) === 0) return "0%";
  return (v > 0 ? "+" : MINUS) + size + "%";
}

function limitText(v) {
  if (v < 0) return MINUS + limitText(-v);
  return v >= 1000 ? whole(v) : String(Number(v.toPrecision(4)));
}

/* Limits of bands are multiples of a mean: two figures are what they are good for. */
function bandText(v) { return limitText(Number(v.toPrecision(2))); }

function ordinal(n) {
  const ends = ["th", "st", "nd", "rd"];
  const rest = n % 100;
  return n + (ends[(rest - 20) % 10] || ends[rest] || ends[0]);
}

function shortDate(iso) {
  const names = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  return names[Number(iso.slice(5, 7)) - 1] + " " + iso.slice(0, 4);
}

function clip(text, length) {
  const letters = Array.from(text);
  return letters.length > length ? letters.slice(0, length - 1).join("") + "\u2026" : text;
}

/* Names keep their own direction, so that a stray override cannot turn the words around them. */
function nameEl(tag, className, text) {
  const node = el(tag, className, text);
  node.dir = "auto";
  return node;
}

function isolate(text) { return /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(text) ? "\u2068" + text + "\u2069" : text; }
