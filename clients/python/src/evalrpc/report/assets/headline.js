// What a person reads first: what was run, how it ended, and what that means.

const ENDED = new Set(["SUCCEEDED", "FAILED", "CANCELLED"]);
const SIGNS = { good: "✓", bad: "✕", open: "?", busy: "…", plain: "•" };
const VERDICTS = { PASS: "good", IMPROVED: "good", REGRESSED: "bad", INCONCLUSIVE: "open" };

const chip = (kind, text) => el("span", { class: `chip ${kind}` }, el("span", { "aria-hidden": "true" }, SIGNS[kind] || "•"), text);
const sentence = (text) => (/[.!?…:]\s*$/.test(text) ? text : `${text}.`);
const list = (names) => names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;

function drawHeader() {
  const each = run.experiment;
  document.title = each.run_name ? `${each.name} · ${each.run_name}` : each.name;
  const facts = [
    ["Experiment", el("code", {}, each.id)],
    run.baseline ? ["Baseline", el("span", {}, run.baseline.run_name || run.baseline.name, " ", el("code", {}, run.baseline.id))] : null,
    each.start_time ? ["Started", time(each.start_time)] : null,
    each.start_time && each.end_time ? ["Took", seconds((new Date(each.end_time) - new Date(each.start_time)) / 1000)] : null,
    ...Object.entries(each.metadata || {}).slice(0, 6).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
    each.origin ? ["Looks again at", el("code", {}, each.origin.experiment_id)] : null,
    each.langfuse && each.langfuse.url ? ["Langfuse", link(each.langfuse.url, "Open the run")] : null,
    run.generated ? ["Report of", time(run.generated)] : null,
  ];
  byId("header").replaceChildren(
    el("h1", {}, each.name),
    el("p", { class: "run" }, each.run_name || "", each.description ? el("span", {}, ` · ${each.description}`) : null),
    el("dl", { class: "facts" }, facts.filter(Boolean).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))));
}

// Returns [kind, headline, sentences].
function verdict() {
  const each = run.experiment, progress = each.progress || {};
  const done = progress.completed || 0, failed = progress.failed || 0;
  if (!ENDED.has(each.state)) {
    const waiting = each.waiting ? `Waiting: ${each.waiting.message || each.waiting.reason}` : "";
    return ["busy", `${each.state[0]}${each.state.slice(1).toLowerCase()}: ${number(done)}${progress.total ? ` of ${number(progress.total)}` : ""} results`, [waiting]];
  }
  const gates = each.gates || [], broken = gates.filter((gate) => !gate.passed);
  const sentences = [], compared = (run.comparison && run.comparison.evaluations) || [];
  const having = (name) => compared.filter((one) => one.verdict === name).map((one) => one.name);
  let kind = "plain", headline = "";
  if (each.state !== "SUCCEEDED") {
    [kind, headline] = ["bad", each.state === "FAILED" ? "The run failed" : "The run was cancelled"];
    if (each.error) sentences.push(sentence(`${each.error.reason}: ${each.error.message || ""}`));
  } else if (broken.length) {
    [kind, headline] = ["bad", gates.length === 1 ? "The gate failed" : `${broken.length} of ${gates.length} gates failed`];
  } else if (compared.length) {
    if (having("REGRESSED").length) [kind, headline] = ["bad", `Regressed: ${list(having("REGRESSED"))}`];
    else if (having("INCONCLUSIVE").length) [kind, headline] = ["open", `Inconclusive: ${list(having("INCONCLUSIVE"))}`];
    else if (having("IMPROVED").length) [kind, headline] = ["good", `Improved: ${list(having("IMPROVED"))}`];
    else [kind, headline] = ["good", "Not worse than the baseline"];
  } else if (gates.length) {
    [kind, headline] = ["good", gates.length === 1 ? "The gate holds" : `All ${gates.length} gates hold`];
  } else {
    const [first] = (each.summaries || []).filter((one) => one.mean !== undefined);
    headline = first ? `${first.name} ${shownMean(first.name, first.mean)}${reach(first)}` : `${plural(done, "result")}`;
  }
  if (compared.length) {
    const others = ["REGRESSED", "IMPROVED", "INCONCLUSIVE", "PASS"].filter((name) => having(name).length).map((name) => `${name.toLowerCase()}: ${list(having(name))}`);
    const told = others.join("; ");
    sentences.push(`${told[0].toUpperCase()}${told.slice(1)}.`);
    sentences.push(`${plural(run.comparison.matched_items || 0, "item")} in both runs.`);
  }
  if (failed) sentences.push(`The task failed on ${number(failed)} of ${plural(done, "result")} (${percent(failed / done)}).`);
  else if (each.state === "SUCCEEDED") sentences.push(`All ${plural(done, "task call")} answered.`);
  return [kind, headline, sentences];
}

const reach = (summary) => summary.interval ? ` (${shownMean(summary.name, summary.interval[0])} to ${shownMean(summary.name, summary.interval[1])})` : "";

function drawVerdict() {
  const [kind, headline, sentences] = verdict(), progress = run.experiment.progress || {};
  const node = byId("verdict");
  node.className = kind;
  node.replaceChildren(...[
    el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[kind]),
    el("div", {}, el("h2", {}, headline), el("p", {}, sentences.filter(Boolean).join(" "))),
    kind === "busy" && progress.total ? el("progress", { max: progress.total, value: progress.completed || 0, "aria-label": "Progress" }) : null,
  ].filter(Boolean));
}
