/* Search by name: an ARIA combobox over every area of every level on the map. */

const finder = { all: [], hits: [], active: -1 };

function startSearch() {
  const words = MAPPED.filter((id) => id !== "ward_group").reverse().map((id) => levelWord(id)).reverse().join(" or ");
  byId("search-label").textContent = "Find a " + words;
  byId("search").placeholder = "Find a " + words;
  byId("table-filter-label").textContent = "Filter the table";
  byId("table-filter").placeholder = "Filter by name";
  for (const id of MAPPED.filter((one) => one !== "ward_group").reverse()) {
    LEVELS[id].name.forEach((name, i) => finder.all.push({ name, key: name.toLowerCase(), level: id, i, where: id === "ward" ? parentName("ward", i) : capital(LEVELS[id].one) }));
  }
  const box = byId("search");
  box.addEventListener("input", showFound);
  box.addEventListener("blur", () => setTimeout(clearFound, 150));
  box.addEventListener("keydown", searchKey);
}

function clearFound() {
  finder.hits = [];
  finder.active = -1;
  byId("found").textContent = "";
  byId("found").hidden = true;
  byId("none-found").hidden = true;
  byId("search").setAttribute("aria-expanded", "false");
  byId("search").removeAttribute("aria-activedescendant");
}

function showFound() {
  const text = byId("search").value.trim().toLowerCase();
  clearFound();
  if (text.length < 2) return;
  finder.hits = finder.all.filter((a) => a.key.includes(text)).sort((a, b) => a.key.indexOf(text) - b.key.indexOf(text)).slice(0, 7);
  const list = byId("found");
  finder.hits.forEach((hit, k) => {
    const row = el("li");
    row.id = "found-" + k;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    add(row, nameEl("span", "nm", hit.name), nameEl("span", "in", hit.where));
    row.addEventListener("mousedown", (event) => { event.preventDefault(); takeFound(hit); });
    list.append(row);
  });
  list.hidden = !finder.hits.length;
  byId("none-found").hidden = finder.hits.length > 0;
  byId("none-found").textContent = "No area has that name";
  byId("search").setAttribute("aria-expanded", String(finder.hits.length > 0));
  announce(finder.hits.length ? finder.hits.length + (finder.hits.length === 1 ? " match" : " matches") : "No area has that name");
}

function takeFound(hit) {
  byId("search").value = "";
  clearFound();
  // A ward is found by its name even where the category is given by groups, or by borough: its own is chosen.
  const shown = shownAs(hit.level, hit.i);
  if (!shown) return;
  if (shown[0] !== state.level) setLevel(shown[0]);
  chooseArea(shown[1], true);
}

function searchKey(event) {
  const { hits } = finder;
  if (event.key === "Escape") { byId("search").value = ""; clearFound(); }
  if (event.key === "Enter" && hits.length) { event.preventDefault(); takeFound(hits[Math.max(0, finder.active)]); }
  if ((event.key === "ArrowDown" || event.key === "ArrowUp") && hits.length) {
    event.preventDefault();
    finder.active = (finder.active + (event.key === "ArrowDown" ? 1 : -1) + hits.length + (finder.active < 0 && event.key === "ArrowUp" ? 1 : 0)) % hits.length;
    [...byId("found").children].forEach((row, k) => row.setAttribute("aria-selected", String(k === finder.active)));
    byId("search").setAttribute("aria-activedescendant", "found-" + finder.active);
  }
}
