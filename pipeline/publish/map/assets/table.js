/* The table twin: the same numbers as the map, for every layer. */

const TABLE_ROWS = 150;
const table = { layer: "areas", sort: "name", direction: 1 };

function tableColumns() {
  const scene = mainScene();
  const level = LEVELS[scene.level];
  const found = (i) => [level.name[i], ...wardsOf(scene.level, i)].join(" ");
  const columns = [{ id: "name", title: "Area", sortable: true, text: (i) => level.name[i], found, order: (i) => level.name[i].toLowerCase() }];
  if (isDetailed(scene.level) && LEVELS.borough) columns.push({ id: "parent", title: capital(LEVELS.borough.one), sortable: true, text: (i) => parentName(scene.level, i), order: (i) => parentName(scene.level, i).toLowerCase() });
  const league = !(PUBLIC && isDetailed(scene.level));
  const titles = { count: "Recorded", rate: "Per 10,000", change: "Change", outcomes: isFlow() ? "Outcomes per 100" : "Positive outcome", significance: "Cluster" };
  for (const measure of ["count", "rate", "change", "outcomes", "significance"]) {
    if (!SHOWN_MEASURES.includes(measure)) continue;
    const own = Object.assign({}, scene, { measure });
    if (measure !== "count" && measure !== scene.measure && !hasMeasure(own)) continue;
    columns.push(numberColumn(measure, titles[measure], own, league));
  }
  if (state.compare) columns.push(numberColumn("other", sideLabel(otherScene()), otherScene(), league));
  return columns;
}

function numberColumn(id, title, scene, sortable) {
  return {
    id, title, sortable, number: true,
    order: (i) => { const value = rankValue(scene, i); return value === null ? -Infinity : value; },
    text: (i) => figure(scene, i).replace(" confidence", ""),
    mute: (i) => !["ok", "first"].includes(valueOf(scene, i).state),
    swatch: (i) => (scene.measure === state.measure && scene.measure !== "count" && state.mode === "areas" && valueOf(scene, i).state === "ok" ? fillOf(scene, i) : ""),
  };
}

function spotColumns() {
  return [
    { id: "rank", title: "Rank", sortable: true, number: true, text: (k) => String(HOTSPOTS[k].rank), order: (k) => HOTSPOTS[k].rank },
    { id: "name", title: "Hotspot", sortable: true, text: (k) => HOTSPOTS[k].name, order: (k) => HOTSPOTS[k].name.toLowerCase() },
    { id: "parent", title: "In", sortable: true, text: (k) => HOTSPOTS[k].in.join(", "), order: (k) => HOTSPOTS[k].in.join() },
    { id: "count", title: capital(INFO.noun), number: true, text: (k) => spotAmount(HOTSPOTS[k]) },
    { id: "size", title: "km\u00b2", number: true, sortable: true, text: (k) => (HOTSPOTS[k].km2 === null ? "" : HOTSPOTS[k].km2.toFixed(2)), order: (k) => HOTSPOTS[k].km2 },
  ];
}

function bandColumns() {
  return [
    { id: "category", title: "Category", sortable: true, text: (k) => categoryOf(BANDS[k].category).label, order: (k) => BANDS[k].category },
    { id: "low", title: "From, per km\u00b2", number: true, sortable: true, text: (k) => limitText(BANDS[k].low), order: (k) => BANDS[k].low },
    { id: "high", title: "To, per km\u00b2", number: true, text: (k) => (BANDS[k].high === null ? "and more" : limitText(BANDS[k].high)) },
    { id: "size", title: "km\u00b2 covered", number: true, text: (k) => squareKm(BANDS[k].shape).toFixed(1) },
  ];
}

/* Area on the sphere, good to a per mille at this size. */
function squareKm(rings) {
  let sum = 0;
  for (const points of rings) {
    const scale = Math.cos((points[0][0] * Math.PI) / 180);
    for (let k = 0; k < points.length; k++) {
      const [y1, x1] = points[k], [y2, x2] = points[(k + 1) % points.length];
      sum += (x1 * y2 - x2 * y1) * scale;
    }
  }
  return (Math.abs(sum) / 2) * 111.195 * 111.195;
}

function tableSource() {
  if (table.layer === "hotspots") return { columns: spotColumns(), rows: HOTSPOTS.map((_, k) => k), title: "Hotspots", words: "hotspots", none: spotNote() };
  if (table.layer === "density") return { columns: bandColumns(), rows: BANDS.map((_, k) => k), title: "Density bands", words: "bands", none: INFO.densityNote || "No density bands." };
  const level = LEVELS[state.level];
  return { columns: tableColumns(), rows: level.code.map((_, i) => i), title: capital(level.many) + ": " + subjectOf(state.category), words: level.many, none: "No areas." };
}

function drawTable() {
  if (byId("drawer-table").hidden) return;
  const source = tableSource();
  const window = periodOf(state.level, state.period);
  byId("table-title").textContent = source.title;
  byId("table-subtitle").textContent = capital(table.layer === "areas" ? (window ? window.label : "") : INFO.headlineLabel);
  const query = byId("table-filter").value.trim().toLowerCase();
  let sorter = source.columns.find((c) => c.id === table.sort && c.sortable);
  if (!sorter) { sorter = source.columns.find((c) => c.sortable); table.sort = sorter.id; table.direction = 1; }
  const words = source.columns.filter((c) => !c.number || c.id === "rank");
  const found = source.rows.filter((i) => !query || words.some((c) => (c.found || c.text)(i).toLowerCase().includes(query)));
  found.sort((a, b) => {
    const x = sorter.order(a), y = sorter.order(b);
    return (x < y ? -1 : x > y ? 1 : 0) * table.direction || a - b;
  });
  tableHead(source.columns);
  const body = byId("table-rows");
  body.textContent = "";
  const part = document.createDocumentFragment();
  const shown = query ? found : found.slice(0, TABLE_ROWS);
  for (const i of shown) part.append(tableRow(source.columns, i));
  body.append(part);
  byId("table-count").textContent = !source.rows.length ? source.none : whole(found.length) + " " + source.words +
    (shown.length < found.length ? "; the first " + TABLE_ROWS + " are shown. Filter, or download all." : "");
}

function tableHead(columns) {
  const row = el("tr");
  for (const c of columns) {
    const head = el("th", c.number ? "n" : "");
    head.scope = "col";
    if (c.sortable) {
      head.setAttribute("aria-sort", table.sort === c.id ? (table.direction < 0 ? "descending" : "ascending") : "none");
      const sort = button("", undefined, () => {
        table.direction = table.sort === c.id ? -table.direction : c.number && c.id !== "rank" ? -1 : 1;
        table.sort = c.id;
        drawTable();
        byId("table-head").querySelector('[data-id="' + c.id + '"]').focus();
        announce("Sorted by " + c.title);
      });
      sort.dataset.id = c.id;
      const arrow = el("i", "", table.sort === c.id ? (table.direction < 0 ? "\u25bc" : "\u25b2") : "");
      arrow.setAttribute("aria-hidden", "true");
      add(head, add(sort, c.title + " ", arrow));
    } else head.textContent = c.title;
    row.append(head);
  }
  byId("table-head").textContent = "";
  byId("table-head").append(row);
}

function tableRow(columns, i) {
  const row = el("tr");
  if (table.layer === "areas" && state.area === i) row.className = "chosen";
  columns.forEach((c) => {
    if (c.id === "name") {
      const head = el("th");
      head.scope = "row";
      head.append(add(button("", undefined, () => (table.layer === "areas" ? chooseArea(i, true) : chooseHotspot(i, true))), nameEl("span", "", c.text(i))));
      row.append(head);
      return;
    }
    const data = el("td", (c.number ? "n" : "") + (c.mute && c.mute(i) ? " mute" : ""));
    const fill = c.swatch ? c.swatch(i) : "";
    if (fill) {
      const swatch = el("i", "swatch");
      swatch.style.background = fill;
      swatch.style.opacity = fillOpacity();
      data.append(swatch);
    }
    data.append(isolate(c.text(i)));
    row.append(data);
  });
  return row;
}

/* Rows and headings as text, for the CSV and the sheet of paper. */
function tableText() {
  const source = tableSource();
  return { head: source.columns.map((c) => c.title), rows: source.rows.map((i) => source.columns.map((c) => c.text(i))) };
}
