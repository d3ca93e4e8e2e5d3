// @ts-check
/* Texts of labels on elements that a notebook adds, always as plain text. Not part of the closure: the scripts of those
   elements call it. Exports `labelOf`. */

/** The text of a label, for an element or for each of its features: what Leaflet's `bindTooltip` takes.
 * @param {string} id of the label @returns {(layer: any) => HTMLElement} */
export function labelOf(id) {
  return (layer) => {
    const block = JSON.parse(document.getElementById("labels")?.textContent || "");
    const bytes = Uint8Array.from(atob(block.base64), (letter) => letter.charCodeAt(0));
    const { text, column } = JSON.parse(new TextDecoder().decode(bytes))[id];
    const node = document.createElement("span");
    node.textContent = column ? String((layer.feature.properties || {})[column] ?? "") : text;
    return node;
  };
}
