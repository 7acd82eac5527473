// The cards: gates, the comparison, each score, latency, cost, failures.

const card = (title, note, ...children) => el("section", { class: "card" }, el("header", {}, el("h3", {}, title), note ? el("span", { class: "note" }, note) : null), children);
const figure = (name, value, note) => el("div", { class: "figure" }, el("span", {}, name), el("b", {}, value), note ? el("small", {}, note) : null);

// Shows the rows that a part of a chart stands for.
function choosePart(label, test) {
  view.part = { label, test };
  view.status = "all";
  drawTable();
  byId("items").scrollIntoView({ block: "start" });
}

function drawSummary() {
  byId("summary").replaceChildren(...[figures(), gateCard(), comparisonCard(), el("div", { class: "cards" }, scoreCards(), latencyCard(), failureCard(), runCard()), specCard()].filter(Boolean));
}

function figures() {
  const each = run.experiment, progress = each.progress || {}, task = each.task_spending, judges = each.evaluation_spending;
  const durations = run.rows.map((row) => row.duration).filter((value) => value !== null).sort((a, b) => a - b);
  const before = [...run.baselineRows.values()].map((row) => row.duration).filter((value) => value !== null).sort((a, b) => a - b);
  const was = (share) => (before.length ? `baseline ${seconds(quantile(before, share))}` : null);
  const cost = (spending) => (spending && spending.cost_usd ? dollars(spending.cost_usd) : null);
  const total = (task ? task.cost_usd || 0 : 0) + (judges ? judges.cost_usd || 0 : 0);
  const tokens = (spending) => (spending ? (spending.input_tokens || 0) + (spending.output_tokens || 0) : 0);
  return el("div", { class: "figures" },
    figure("Results", number(progress.completed || run.rows.length), progress.retried ? `${number(progress.retried)} repeated calls` : null),
    figure("Task failed", number(progress.failed || 0), progress.completed ? percent((progress.failed || 0) / progress.completed) : null),
    durations.length ? figure("Median latency", seconds(quantile(durations, 0.5)), was(0.5)) : null,
    durations.length ? figure("95 % within", seconds(quantile(durations, 0.95)), was(0.95)) : null,
    total ? figure("Cost", dollars(total), [cost(task) && `task ${cost(task)}`, cost(judges) && `evaluators ${cost(judges)}`].filter(Boolean).join(", ")) : null,
    total && progress.completed ? figure("Cost per result", dollars(total / progress.completed), null) : null,
    tokens(task) + tokens(judges) ? figure("Tokens", number(tokens(task) + tokens(judges)), tokens(judges) ? `evaluators ${number(tokens(judges))}` : null) : null);
}

function gateCard() {
  const gates = run.experiment.gates || [];
  if (!gates.length) return null;
  return card("Gates", null, el("ul", { class: "gates" }, [...gates].sort((a, b) => Number(Boolean(a.passed)) - Number(Boolean(b.passed))).map((gate) =>
    el("li", {}, chip(gate.passed ? "good" : "bad", gate.passed ? "holds" : "failed"), el("div", {}, el("b", {}, gate.name), gate.message ? el("p", { class: "note" }, gate.message) : null)))));
}

function comparisonCard() {
  const compared = run.comparison && run.comparison.evaluations;
  if (!compared) return null;
  const order = ["REGRESSED", "INCONCLUSIVE", "IMPROVED", "PASS"];
  const rows = [...compared].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict)).map((each) => {
    const kind = VERDICTS[each.verdict] || "plain", points = (value) => (isBoolean(each.name) ? signed((value * 100).toFixed(1), value) + " pp" : signed(number(value), value));
    const widest = 1.05 * Math.max(...(each.interval || [each.difference]).map(Math.abs), each.margin || 0, 1e-9);
    const between = each.interval ? `${points(each.interval[0])} to ${points(each.interval[1])}` : "no interval";
    return el("tr", {},
      el("th", { scope: "row" }, each.name),
      el("td", { "data-name": "Verdict" }, chip(kind, each.verdict.toLowerCase())),
      el("td", { class: "n", "data-name": "Baseline → this run" }, el("span", {}, shownMean(each.name, each.baseline_mean), el("span", { class: "arrow" }, " → "), shownMean(each.name, each.candidate_mean))),
      el("td", { class: "n", "data-name": "Difference" }, el("span", {}, el("b", {}, points(each.difference)), el("small", {}, between))),
      el("td", { class: "forest" }, intervalBar({ interval: each.interval, middle: each.difference, low: -widest, high: widest, kind, zero: 0, margin: each.margin ? (run.lower.has(each.name) ? each.margin : -each.margin) : null, label: `${each.name}: ${points(each.difference)}, ${between}` })),
      el("td", { class: "n", "data-name": "p (Holm)" }, each.adjusted_p_value === undefined ? "–" : number(each.adjusted_p_value)),
      el("td", { class: "n", "data-name": "Gained, lost" }, el("span", {}, flipButton(each, "gained", 1), " ", flipButton(each, "lost", -1))),
      el("td", { class: "n", "data-name": "n" }, el("span", {}, number(each.n), each.verdict === "INCONCLUSIVE" && each.minimum_detectable_difference ? el("small", {}, `shows ${points(each.minimum_detectable_difference).replace("+", "")} or more`) : null)));
  });
  const only = (name) => (run.comparison[name] || []).length;
  const note = [`${plural(run.comparison.matched_items || 0, "item")} in both`, only("only_in_baseline") && `${only("only_in_baseline")} only in the baseline`, only("only_in_candidate") && `${only("only_in_candidate")} only here`].filter(Boolean).join(", ");
  const head = ["Score", "Verdict", "Baseline → this run", "Difference", "Interval", "p (Holm)", "Gained, lost", "n"];
  return card("Against the baseline", note, el("div", { class: "scroll" }, el("table", { class: "comparison" }, el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows))));
}

function flipButton(each, name, sign) {
  const count = each[name] || 0;
  const test = (row) => row.before && sign * gain(each.name, valueOf(row.before, each.name) ?? NaN, valueOf(row, each.name) ?? NaN) > 0;
  return el("button", { type: "button", class: `plain flip ${name}`, disabled: !count, "aria-label": `${count} ${name}: show`, onclick: () => choosePart(`${each.name} ${name}`, test) }, `${sign > 0 ? "▲" : "▼"} ${number(count)}`);
}

function scoreCards() {
  const summaries = run.experiment.summaries || [];
  return run.names.concat(summaries.map((each) => each.name).filter((name) => !run.kinds.has(name))).map((name) => {
    const summary = summaries.find((each) => each.name === name) || { name };
    const counts = new Map(), values = [], before = [];
    for (const row of run.rows) {
      const found = row.byName.get(name);
      if (!found) continue;
      const key = found.kind === "b" ? (found.value ? "true" : "false") : found.kind === "l" ? `=${found.value}` : found.kind;
      counts.set(key, (counts.get(key) || 0) + 1);
      if (found.kind === "n") values.push(found.value);
    }
    for (const row of run.baselineRows.values()) {
      const value = valueOf(row, name);
      if (value !== null) before.push(value);
    }
    const pick = (label, test) => () => choosePart(`${name}: ${label}`, (row) => row.byName.has(name) && test(row.byName.get(name)));
    const rest = [["unscored", counts.get("u") || 0, "mute", pick("unscored", (each) => each.kind === "u")], ["evaluator failed", counts.get("e") || 0, "error", pick("evaluator failed", (each) => each.kind === "e")]];
    const parts = isBoolean(name) ? [["true", counts.get("true") || 0, "good", pick("true", (each) => each.kind === "b" && each.value)], ["false", counts.get("false") || 0, "bad", pick("false", (each) => each.kind === "b" && !each.value)], ...rest] : rest;
    const labels = [...counts].filter(([key]) => key[0] === "=").sort(([, a], [, b]) => b - a).slice(0, 8).map(([key, n]) => [key.slice(1), n, pick(key.slice(1), (each) => each.kind === "l" && each.value === key.slice(1))]);
    const facts = [`n ${number(summary.n || 0)}`, summary.standard_deviation === undefined ? null : `SD ${number(summary.standard_deviation)}`, summary.standard_error === undefined ? null : `SE ${number(summary.standard_error)}${summary.clusters ? ` (${plural(summary.clusters, "cluster")})` : ""}`];
    return card(name, facts.filter(Boolean).join(" · "),
      summary.mean === undefined ? null : el("p", { class: "mean" }, el("b", {}, shownMean(name, summary.mean)), el("span", {}, summary.interval ? `95 % interval ${shownMean(name, summary.interval[0])} to ${shownMean(name, summary.interval[1])}` : "")),
      values.length ? histogram(values, { before, name, choose: (label, test) => choosePart(label, (row) => test(row.byName.has(name) && row.byName.get(name).kind === "n" ? row.byName.get(name).value : null)) }) : null,
      labels.length ? bars(labels) : null,
      isBoolean(name) ? stacked(parts, name) : null,
      legend(parts));
  });
}

function latencyCard() {
  const values = run.rows.map((row) => row.duration).filter((value) => value !== null && value > 0);
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b), log = quantile(sorted, 0.99) > 20 * quantile(sorted, 0.05);
  const before = [...run.baselineRows.values()].map((row) => row.duration).filter((value) => value !== null && value > 0);
  const at = (share) => seconds(quantile(sorted, share));
  return card("Latency of the task", log ? "logarithmic" : null, el("p", { class: "mean" }, el("b", {}, at(0.5)), el("span", {}, `90 % ${at(0.9)}, 95 % ${at(0.95)}, 99 % ${at(0.99)}, slowest ${at(1)}`)),
    histogram(values, { before, format: seconds, log, name: "latency", choose: (label, test) => choosePart(label, (row) => test(row.duration)) }));
}

function failureCard() {
  const reasons = new Map();
  const count = (key, message, test) => {
    const found = reasons.get(key) || reasons.set(key, { n: 0, message, test }).get(key);
    found.n += 1;
  };
  for (const row of run.rows) {
    if (row.error) count(row.error[0], row.error[1], (other) => other.error !== null && other.error[0] === row.error[0]);
    for (const each of row.evaluations) {
      if (each.kind !== "e") continue;
      const [reason, message] = each.value;
      count(`${each.name}: ${reason}`, message, (other) => { const found = other.byName.get(each.name); return Boolean(found) && found.kind === "e" && found.value[0] === reason; });
    }
  }
  if (!reasons.size) return null;
  const sorted = [...reasons].sort(([, a], [, b]) => b.n - a.n).slice(0, 12);
  return card("Failures by reason", plural([...reasons.values()].reduce((sum, each) => sum + each.n, 0), "failure"),
    bars(sorted.map(([key, each]) => [key, each.n, () => choosePart(key, each.test), shortText(each.message)]), "error"));
}

function runCard() {
  const evaluations = run.experiment.run_evaluations || [];
  if (!evaluations.length) return null;
  return card("Evaluations of the run", null, el("dl", { class: "pairs" }, evaluations.map((each) => [
    el("dt", {}, each.name),
    el("dd", {}, each.error ? `${each.error.reason}: ${each.error.message || ""}` : each.unscored !== undefined ? `unscored: ${each.unscored}` : typeof each.value === "number" ? number(each.value) : String(each.value), each.comment ? el("p", { class: "note" }, each.comment) : null)])));
}

function specCard() {
  const spec = run.experiment.spec;
  const opened = document.querySelector(".spec[open]") !== null;
  return spec ? el("details", { class: "card spec", open: opened }, el("summary", {}, "How it was run"), el("pre", {}, JSON.stringify(spec, null, 2))) : null;
}
