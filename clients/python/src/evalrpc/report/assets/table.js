// The table of items: its search, filters and head. The rows are the grid's.

const PRINTED = 300;

function sortBy(name) {
  const { by, up } = view.sort || {};
  const first = !name.startsWith("seconds") && name !== "cost" && name !== "tokens";
  view.sort = by !== name ? { by: name, up: first } : up === first ? { by: name, up: !first } : null;
  drawTable(true);
}

function toolbar() {
  const counts = STATUSES.map(([name, title, test, compared]) => [name, title, compared && !run.baseline ? 0 : name === "all" ? run.rows.length : run.rows.reduce((sum, row) => sum + Number(Boolean(test(row))), 0)]);
  return el("div", { class: "toolbar" },
    el("input", { type: "search", id: "search", placeholder: "Search items  /", "aria-label": "Search items", value: view.search, oninput: (event) => { view.search = event.target.value; drawRows(); } }),
    el("div", { class: "filters", role: "group", "aria-label": "Filter" }, counts.filter(([name, , n]) => n || name === "all").map(([name, title, n]) =>
      el("button", { type: "button", "aria-pressed": String(view.status === name && !view.part), onclick: () => { view.status = name; view.part = null; drawTable(true); } }, `${title} `, el("small", {}, number(n))))),
    view.part ? el("button", { type: "button", class: "part", "aria-label": `Remove the filter ${view.part.label}`, onclick: () => { view.part = null; drawTable(true); } }, view.part.label, " ✕") : null);
}

function head() {
  return el("div", { role: "row", class: "head", "aria-rowindex": 1 }, grid.columns.map(([name, title, , , kind]) => {
    const active = view.sort && view.sort.by === name;
    return el("div", { role: "columnheader", class: `cell ${kind}`, "aria-sort": active ? (view.sort.up ? "ascending" : "descending") : "none" },
      el("button", { type: "button", class: "plain", title: `Sort by ${title}`, onclick: () => sortBy(name) }, el("span", { class: "text" }, title), active ? (view.sort.up ? " ↑" : " ↓") : null));
  }));
}

// Draws the table anew; keeps the place of the scroll where the same rows are likely to be there.
function drawTable(focus = false) {
  const active = document.activeElement, searching = active && active.id === "search", caret = searching ? active.selectionStart : 0;
  const onGrid = active && active === grid.node, top = grid.node && !focus ? grid.node.scrollTop : 0;
  grid.columns = gridColumns();
  grid.body = el("div", { class: "body", role: "rowgroup" });
  grid.node = el("div", { id: "grid", role: "grid", tabindex: 0, "aria-label": "Results", onkeydown: gridKeys, onscroll: () => { if (!grid.asked) { grid.asked = true; requestAnimationFrame(drawVisible); } } }, head(), grid.body);
  byId("items").replaceChildren(
    el("header", {}, el("h2", {}, "Items"), el("span", { class: "note", id: "count", role: "status" }), el("span", { class: "note keys" }, "↑ ↓ to move, Enter to open, / to search")),
    toolbar(), grid.node);
  grid.node.style.setProperty("--columns", grid.columns.map(([, , width]) => width).join(" "));
  const least = grid.columns.reduce((sum, [, , width]) => sum + parseInt(width.replace("minmax(", ""), 10), 0);
  grid.node.style.setProperty("--least", narrow.matches ? "0" : `${least}px`);
  drawRows();
  if (top) {
    grid.node.scrollTop = top;
    drawVisible();
  }
  if (searching) {
    byId("search").focus({ preventScroll: true });
    byId("search").setSelectionRange(caret, caret);
  } else if (focus || onGrid) grid.node.focus({ preventScroll: true });
}

function drawRows() {
  applyView();
  grid.height = narrow.matches ? 92 : 40;
  grid.selected = detail.row ? view.rows.indexOf(detail.row) : -1;
  grid.drawn.clear();
  grid.body.replaceChildren();
  grid.body.style.height = `${view.rows.length * grid.height}px`;
  grid.node.style.height = `min(${Math.max(view.rows.length, 3) * grid.height + 42}px, ${narrow.matches ? 82 : 74}vh)`;
  grid.node.setAttribute("aria-rowcount", view.rows.length + 1);
  const order = view.sort ? "" : run.baseline ? ", flips first" : run.rows.some((row) => row.error) ? ", failures first" : "";
  byId("count").textContent = (view.rows.length === run.rows.length ? number(run.rows.length) : `${number(view.rows.length)} of ${number(run.rows.length)}`) + order;
  drawVisible();
  if (!view.rows.length) grid.body.append(el("p", { class: "empty" }, run.rows.length ? "No item matches." : "No results yet."));
}

// On paper everything that is listed stands below each other, as far as that is of use.
function drawPrinted() {
  const rows = view.rows.slice(0, PRINTED);
  const cells = (row) => [row.id, shortText(row.input), shortText(row.expected), row.error ? row.error.join(": ") : shortText(row.output)];
  byId("items").append(el("div", { class: "printed" },
    el("p", { class: "note" }, `${number(rows.length)} of ${plural(view.rows.length, "listed item")}`),
    el("table", {}, el("thead", {}, el("tr", {}, ["Item", "Input", "Expected", "Output", ...run.names].map((name, place) => el("th", { class: place && place < 4 ? null : "fit" }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, cells(row).map((text, place) => el("td", { class: place ? null : "fit" }, text)), run.names.map((name) => el("td", { class: "fit" }, scoreCell(row, name)))))))));
}
