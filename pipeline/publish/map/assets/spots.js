/* The ranked list of hotspots. */

function spotAmount(spot) { return typeof spot.n === "number" ? whole(spot.n) : spot.band; }

function spotNote() {
  if (!HOTSPOTS.length) return INFO.hotspotNote || (INFO.hasPoints ? "No hotspots were found in " + INFO.headlineNamed + "." : "Hotspots need points; this release has counts by area only.");
  return "Outlines where far more was recorded than around them, ranked by " + INFO.noun + " in " + INFO.headlineNamed +
    " (" + CATEGORIES[0].label + "). They do not follow borders." + (INFO.hotspotNote ? " " + INFO.hotspotNote : "");
}

function fillHotspots(host, most, paper) {
  host.textContent = "";
  host.append(el("p", "note first", spotNote()));
  const list = el("ol", "spots");
  HOTSPOTS.slice(0, most || HOTSPOTS.length).forEach((spot, k) => {
    const row = el(paper ? "div" : "button", "spotrow");
    if (!paper) {
      row.type = "button";
      row.setAttribute("aria-pressed", String(state.hotspot === k));
      row.addEventListener("click", () => chooseHotspot(k, true));
    }
    add(row, el("span", "badge", String(spot.rank)), nameEl("span", "nm", spot.name), nameEl("span", "ct", spotAmount(spot)),
      nameEl("span", "bo", [spot.in.join(", "), spot.km2 === null ? "" : spot.km2.toFixed(1) + " km\u00b2"].filter(Boolean).join(" \u00b7 ")),
      el("span", "dn", spot.density === null ? "" : whole(spot.density) + " per km\u00b2"));
    list.append(add(el("li"), row));
  });
  host.append(list);
}

function drawHotspotList() { fillHotspots(byId("pane-hotspots"), 0, false); }

function chooseHotspot(k, zoom) {
  state.hotspot = state.hotspot === k ? null : k;
  if (!state.hotspots) { state.hotspots = true; byId("show-hotspots").checked = true; drawLegend(); }
  for (const view of VIEWS) { view.drawSpots(); view.drawNames(); }
  const focused = document.activeElement && document.activeElement.classList.contains("spotrow");
  drawHotspotList();
  showTab("hotspots");
  if (focused) byId("pane-hotspots").querySelectorAll("button")[k].focus();
  const spot = HOTSPOTS[k];
  if (state.hotspot !== null && zoom) { VIEWS[0].fit(L.latLngBounds(spot.shape.flat()), 13.5); if (isPhone()) closeSheet(); }
  announce(state.hotspot === null ? "Hotspot " + spot.rank + " no longer marked" : "Hotspot " + spot.rank + ": " + spot.name + ", " + spotAmount(spot) + " " + INFO.noun);
  saveHash();
}
