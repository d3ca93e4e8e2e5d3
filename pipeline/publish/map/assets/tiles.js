/* Background tiles, only where configured. A key that is missing from their address is asked of the reader, and kept
   in memory alone: not in the page, its address or the browser's store. */

let tilesFailed = false;
let tilesLayer = null;

function setTiles(shown) {
  if (tilesShown === shown) return;
  tilesShown = shown;
  byId("credit").hidden = !INFO.credit || (TILES_ASK && !shown);
  redraw({ quiet: true });
}

function showTiles(key) {
  if (tilesLayer) tilesLayer.remove();
  tilesFailed = false;
  const names = { TileMatrix: "z", TileCol: "x", TileRow: "y" };
  const address = INFO.tiles.replace(/\{(TileMatrix|TileCol|TileRow)\}/g, (_, name) => "{" + names[name] + "}");
  const layer = L.tileLayer(address, { attribution: "", referrerPolicy: "no-referrer", zIndex: 1, key: encodeURIComponent(key) });
  tilesLayer = layer;
  layer.on("tileerror", () => {
    if (tilesFailed || tilesLayer !== layer) return;
    tilesFailed = true;
    layer.remove();
    setTiles(false);
    drawNotice();
    announce(byId("notice-text").textContent);
  });
  layer.addTo(VIEWS[0].map);
  setTiles(true);
  drawNotice();
}

function startTiles() {
  if (!INFO.tiles) return;
  if (!TILES_ASK) { showTiles(""); return; }
  byId("credit").hidden = true;
  byId("tiles").hidden = false;
  const field = byId("tiles-key");
  const go = () => {
    const key = field.value.trim();
    field.value = "";
    if (!key) { announce("Type the key of the background map first"); field.focus(); return; }
    showTiles(key);
    announce("Background map asked for");
  };
  byId("tiles-show").addEventListener("click", go);
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
}
