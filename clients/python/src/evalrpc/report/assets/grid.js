// The rows of the table. Only those in sight are in the document, so that a run of any size scrolls alike.

const OVERSCAN = 8;
const narrow = matchMedia("(max-width: 720px)");
const grid = { node: null, body: null, height: 0, drawn: new Map(), selected: -1, asked: false, columns: [] };

const short = (row, name) => el("span", { class: "text", dir: "auto" }, isAbsent(row[name]) ? el("span", { class: "mute" }, "–") : shortText(row[name]));

function outputCell(row) {
  if (row.error) return el("span", { class: "text error", title: row.error[1] }, row.error[0]);
  return short(row, "output");
}

function scoreCell(row, name) {
  const now = row.byName.get(name), then = row.before && row.before.byName.get(name);
  const difference = then ? (valueOf(row, name) ?? NaN) - (valueOf(row.before, name) ?? NaN) : 0;
  const kind = difference > 0 !== run.lower.has(name) ? "gained" : "lost";
  const arrow = difference ? el("span", { class: `flip ${kind}` }, difference > 0 ? "▲ " : "▼ ") : null;
  if (difference && isBoolean(name)) return [arrow, evaluationValue(now)];
  return difference ? [arrow, el("span", { class: "mute" }, number(then.value), " → "), evaluationValue(now)] : evaluationValue(now);
}

// The columns: [name to sort by, title, width, how to draw a cell, its class].
function gridColumns() {
  const some = (name) => run.rows.some((row) => row[name] !== null);
  const wide = run.names.length > 5 ? "minmax(104px, .4fr)" : "minmax(112px, .5fr)";
  return [
    ["item", "Item", `minmax(${Math.round(Math.min(24, (run.hasTrials ? 6 : 3) + run.rows.slice(0, 500).reduce((most, row) => Math.max(most, row.id.length), 6)) * 8.4)}px, .3fr)`, (row) => [el("b", { class: "text" }, row.id), run.hasTrials ? el("small", {}, ` ${row.trial}`) : null], ""],
    ["input", "Input", "minmax(130px, 1.6fr)", (row) => short(row, "input"), ""],
    some("expected") ? ["expected", "Expected", "minmax(120px, 1.2fr)", (row) => short(row, "expected"), ""] : null,
    ["output", "Output", "minmax(130px, 1.6fr)", outputCell, ""],
    ...run.names.slice(0, 12).map((name) => [`score:${name}`, name, run.baseline && !isBoolean(name) && !isLabel(name) ? "minmax(146px, .4fr)" : wide, (row) => scoreCell(row, name), "score"]),
    some("duration") ? ["seconds", "Latency", "86px", (row) => seconds(row.duration), "n"] : null,
    some("tokens") && !run.baseline ? ["tokens", "Tokens", "76px", (row) => number(row.tokens), "n"] : null,
    some("cost") ? ["cost", "Cost", "84px", (row) => dollars(row.cost), "n"] : null,
  ].filter(Boolean);
}

function cardRow(row) {
  const scores = run.names.slice(0, 4).map((name) => el("span", { class: "score" }, el("small", {}, name, " "), scoreCell(row, name)));
  return [el("div", { class: "line" }, el("b", { class: "text" }, row.id), short(row, "input")), el("div", { class: "line" }, outputCell(row)), el("div", { class: "line scores" }, scores)];
}

function drawRow(place) {
  const row = view.rows[place];
  const kind = ["row", row.error ? "failed" : "", row.change < 0 ? "lost" : row.change > 0 ? "gained" : "", place === grid.selected ? "selected" : ""].join(" ");
  const node = el("div", { role: "row", id: `row-${place}`, class: kind, "aria-rowindex": place + 2, "aria-selected": place === grid.selected ? "true" : "false", onclick: () => moveTo(place, true) },
    narrow.matches ? el("div", { role: "gridcell", class: "whole" }, cardRow(row)) : grid.columns.map(([, , , draw, kindOf]) => el("div", { role: "gridcell", class: `cell ${kindOf}` }, draw(row))));
  node.style.transform = `translateY(${place * grid.height}px)`;
  return node;
}

function drawVisible() {
  grid.asked = false;
  const first = Math.max(0, Math.floor(grid.node.scrollTop / grid.height) - OVERSCAN);
  const last = Math.min(view.rows.length, Math.ceil((grid.node.scrollTop + grid.node.clientHeight) / grid.height) + OVERSCAN);
  for (const [place, node] of grid.drawn) {
    if (place < first || place >= last) {
      node.remove();
      grid.drawn.delete(place);
    }
  }
  const fresh = document.createDocumentFragment();
  for (let place = first; place < last; place += 1) {
    if (grid.drawn.has(place)) continue;
    const node = drawRow(place);
    grid.drawn.set(place, node);
    fresh.append(node);
  }
  grid.body.append(fresh);
}

function redraw(place) {
  const node = grid.drawn.get(place);
  if (!node) return;
  const next = drawRow(place);
  node.replaceWith(next);
  grid.drawn.set(place, next);
}

// Selects a row, brings it into sight, and opens it where asked to or where one is open.
function moveTo(place, open) {
  if (!view.rows.length) return;
  const before = grid.selected;
  grid.selected = Math.max(0, Math.min(view.rows.length - 1, place));
  const head = grid.node.querySelector(".head").offsetHeight;
  const top = grid.selected * grid.height, node = grid.node;
  if (top < node.scrollTop) node.scrollTop = top;
  else if (top + grid.height + head > node.scrollTop + node.clientHeight) node.scrollTop = top + grid.height + head - node.clientHeight;
  drawVisible();
  redraw(before);
  redraw(grid.selected);
  node.setAttribute("aria-activedescendant", `row-${grid.selected}`);
  if (open || detail.row) openDetail(view.rows[grid.selected]);
}

function gridKeys(event) {
  const page = Math.max(1, Math.floor(grid.node.clientHeight / grid.height) - 2);
  const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in steps) moveTo(Math.max(-1, grid.selected) + steps[event.key], false);
  else if (event.key === "Enter" || event.key === " ") moveTo(Math.max(0, grid.selected), true);
  else return;
  event.preventDefault();
}
