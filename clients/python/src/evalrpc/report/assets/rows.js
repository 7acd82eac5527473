// The run as the page keeps it: rows decoded from arrays (see rows.py), and what is filtered and sorted of them.

const run = {
  experiment: null, baseline: null, comparison: null, generated: null, live: false,
  rows: [], baselineRows: new Map(), keys: new Set(), names: [], kinds: new Map(), hasTrials: false,
  lower: new Set(), // evaluations of which less is better
};

function decodeEvaluation([name, kind, value = null, comment = null, metadata = null]) {
  return { name, kind, value, comment, metadata };
}

function decodeRow(array) {
  const [id, index, trial, input = null, expected = null, output = null, evaluations = [], error = null,
    duration = null, tokens = null, cost = null, traceUrl = null, details = null] = array;
  const decoded = evaluations.map(decodeEvaluation);
  return {
    id, index, trial, input, expected, output, error, duration, tokens, cost, traceUrl, details: details || {},
    evaluations: decoded, byName: new Map(decoded.map((each) => [each.name, each])),
    key: `${id}\n${trial}`, before: null, change: 0, changed: false, text: null,
  };
}

const valueOf = (row, name) => {
  const found = row && row.byName.get(name);
  return found && (found.kind === "n" || found.kind === "b") ? found.value : null;
};

// By how much a value is better than another one.
const gain = (name, then, now) => (run.lower.has(name) ? then - now : now - then);

// Sets a row beside the baseline's: `change` is the greatest loss, or where nothing was lost the greatest gain.
function compareRow(row) {
  const before = run.baselineRows.get(row.key) || run.baselineRows.get(`${row.id}\n1`);
  if (!before) return;
  row.before = before;
  row.changed = rawText(before.output) !== rawText(row.output) || Boolean(before.error) !== Boolean(row.error);
  let lost = 0, gained = 0;
  for (const each of row.evaluations) {
    const now = valueOf(row, each.name), then = valueOf(before, each.name);
    if (now === null || then === null) continue;
    const better = gain(each.name, then, now);
    lost = Math.min(lost, better);
    gained = Math.max(gained, better);
  }
  if (row.error && !before.error) lost = -Infinity;
  if (before.error && !row.error) gained = Infinity;
  row.change = lost < 0 ? lost : gained;
}

function addRows(arrays) {
  for (const array of arrays) {
    const row = decodeRow(array);
    if (run.keys.has(row.key)) continue;
    run.keys.add(row.key);
    run.rows.push(row);
    if (row.trial > 1) run.hasTrials = true;
    if (run.baseline) compareRow(row);
    for (const each of row.evaluations) {
      const kinds = run.kinds.get(each.name) || run.kinds.set(each.name, new Set()).get(each.name);
      kinds.add(each.kind);
    }
  }
  const order = new Map((run.experiment.evaluators || []).map((name, place) => [name, place]));
  const place = (name) => order.get(name) ?? order.size;
  run.names = [...run.kinds.keys()].sort((one, other) => place(one) - place(other));
}

const isBoolean = (name) => {
  const kinds = run.kinds.get(name);
  return Boolean(kinds && kinds.has("b") && !kinds.has("n"));
};
const isLabel = (name) => {
  const kinds = run.kinds.get(name);
  return Boolean(kinds && kinds.has("l"));
};
const shownMean = (name, value) => (isBoolean(name) ? percent(value) : number(value));

// ---- what is shown: a search, a status, and at most one part of a chart

const view = { search: "", status: "all", part: null, sort: null, rows: [] };

const STATUSES = [
  ["all", "All", () => true, false],
  ["lost", "Lost", (row) => row.change < 0, true],
  ["gained", "Gained", (row) => row.change > 0, true],
  ["changed", "Output changed", (row) => row.changed, true],
  ["failed", "Task failed", (row) => row.error !== null, false],
  ["errors", "Evaluator failed", (row) => row.evaluations.some((each) => each.kind === "e"), false],
  ["false", "Any false", (row) => row.evaluations.some((each) => each.kind === "b" && !each.value), false],
  ["unscored", "Unscored", (row) => row.evaluations.some((each) => each.kind === "u"), false],
];

function searched(row) {
  if (row.text === null) {
    const parts = [row.id, rawText(row.input), rawText(row.expected), rawText(row.output), ...(row.error || [])];
    for (const each of row.evaluations) {
      if (each.comment) parts.push(rawText(each.comment));
      if (each.kind === "l") parts.push(each.value);
      if (each.kind === "e") parts.push(...each.value);
    }
    row.text = parts.join("\n").toLowerCase();
  }
  return row.text;
}

function sortValue(row, by) {
  if (by === "item") return row.index;
  if (by === "seconds") return row.duration;
  if (by === "tokens") return row.tokens;
  if (by === "cost") return row.cost;
  if (by === "input" || by === "expected" || by === "output") return rawText(row[by]).toLowerCase();
  const found = row.byName.get(by.slice(6));
  return found && (found.kind === "n" || found.kind === "b" || found.kind === "l") ? found.value : null;
}

const inOrder = (one, other) => one.index - other.index || one.trial - other.trial;

// Lost before gained before the rest, each by how much.
function flipsFirst(one, other) {
  const rank = (row) => (row.change < 0 ? 0 : row.change > 0 ? 1 : row.changed ? 2 : 3);
  const size = Math.abs(other.change) - Math.abs(one.change);
  return rank(one) - rank(other) || (Number.isNaN(size) ? 0 : size) || inOrder(one, other);
}

const failuresFirst = (one, other) => Number(other.error !== null) - Number(one.error !== null) || inOrder(one, other);

function applyView() {
  const test = STATUSES.find(([name]) => name === view.status)[2];
  const search = view.search.trim().toLowerCase();
  const rows = run.rows.filter((row) =>
    test(row) && (!view.part || view.part.test(row)) && (!search || searched(row).includes(search)));
  if (!view.sort) rows.sort(run.baseline ? flipsFirst : failuresFirst);
  else {
    const { by, up } = view.sort, factor = up ? 1 : -1;
    const keyed = rows.map((row) => [sortValue(row, by), row]);
    keyed.sort(([a, one], [b, other]) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null) || inOrder(one, other);
      return (a < b ? -factor : a > b ? factor : 0) || inOrder(one, other);
    });
    rows.length = 0;
    for (const [, row] of keyed) rows.push(row);
  }
  view.rows = rows;
}
