// One result in full, beside the table or over it.

const plainDocument = (title, value) => isAbsent(value) ? null : el("div", { class: "document" }, el("h4", {}, title), el("pre", { dir: "auto", tabindex: 0 }, fullText(value)), cutNote(value));

function evaluationValue(each) {
  if (!each) return el("span", { class: "mute" }, "–");
  if (each.kind === "b") return el("span", { class: each.value ? "good" : "bad" }, each.value ? "✓ true" : "✕ false");
  if (each.kind === "n") return el("span", {}, number(each.value));
  if (each.kind === "l") return el("span", { class: "tag" }, each.value);
  return each.kind === "u" ? el("span", { class: "mute" }, "unscored") : el("span", { class: "error" }, each.value[0]);
}

function evaluationList(row) {
  if (!row.evaluations.length) return null;
  return el("div", { class: "evaluations" }, el("h4", {}, "Evaluations"), row.evaluations.map((each) => {
    const then = row.before && row.before.byName.get(each.name);
    const reason = each.kind === "e" ? each.value[1] : each.kind === "u" ? each.value : null;
    return el("div", { class: "evaluation" },
      el("div", {}, el("b", {}, each.name), el("span", { class: "value" }, then ? [evaluationValue(then), " → "] : null, evaluationValue(each))),
      reason ? el("p", { class: "note" }, reason) : null,
      each.comment ? el("p", { class: "comment", dir: "auto" }, rawText(each.comment)) : null, cutNote(each.comment),
      isAbsent(each.metadata) ? null : el("details", {}, el("summary", {}, "Metadata"), el("pre", {}, fullText(each.metadata))));
  }));
}

function contextList(contexts) {
  if (!contexts || !contexts.length) return null;
  return el("details", {}, el("summary", {}, plural(contexts.length, "context")), el("ol", { class: "contexts" }, contexts.map(([text = null, id = null, source = null, score = null]) =>
    el("li", {}, el("p", { class: "note" }, [source, id, score === null ? null : `score ${number(score)}`].filter(Boolean).join(" · ")), el("pre", { dir: "auto" }, rawText(text)), cutNote(text)))));
}

const errorBox = (title, error) => (error ? el("div", { class: "failure" }, el("h4", {}, title), el("b", {}, error[0]), el("p", {}, error[1])) : null);

function detailContent(row) {
  const more = row.details, before = row.before;
  const facts = [["Trial", run.hasTrials ? row.trial : null], ["Latency", row.duration === null ? null : seconds(row.duration)], ["Evaluators took", more.evaluation_seconds ? seconds(more.evaluation_seconds) : null], ["Attempts", more.attempts],
    ["Model", more.model], ["Tokens", more.input_tokens === undefined && more.output_tokens === undefined ? null : `${number(more.input_tokens ?? 0)} in, ${number(more.output_tokens ?? 0)} out`], ["Cost", row.cost === null ? null : dollars(row.cost)],
    ["Trace", row.traceUrl ? link(row.traceUrl, "Open") : more.trace_id ? el("code", {}, more.trace_id) : null]];
  return [
    el("dl", { class: "facts" }, facts.filter(([, value]) => !isAbsent(value)).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    errorBox("The task failed", row.error),
    plainDocument("Input", row.input),
    row.error && isAbsent(row.expected) ? null : isAbsent(row.expected) && !before ? plainDocument("Output", row.output) : null,
    isAbsent(row.expected) ? null : sideBySide(["Expected", row.expected], ["Output", row.output]),
    before ? sideBySide(["Baseline's output", before.output], ["This run's output", row.output]) : null,
    before ? errorBox("The baseline's task failed", before.error) : null,
    evaluationList(row),
    contextList(more.contexts),
    more.metadata ? el("details", {}, el("summary", {}, "Item's metadata"), el("pre", {}, fullText(more.metadata))) : null,
    more.output_metadata ? el("details", {}, el("summary", {}, "Output's metadata"), el("pre", {}, fullText(more.output_metadata))) : null,
  ];
}

const detail = { row: null };

function openDetail(row) {
  const node = byId("detail");
  detail.row = row;
  const place = view.rows.indexOf(row);
  node.replaceChildren(
    el("header", {}, el("h3", { dir: "auto" }, row.id),
      el("nav", {},
        el("button", { type: "button", "aria-label": "Previous item", title: "Previous (k)", disabled: place < 1, onclick: () => moveTo(place - 1, true) }, "↑"),
        el("button", { type: "button", "aria-label": "Next item", title: "Next (j)", disabled: place >= view.rows.length - 1, onclick: () => moveTo(place + 1, true) }, "↓"),
        el("button", { type: "button", "aria-label": "Close", title: "Close (Esc)", onclick: closeDetail }, "✕"))),
    el("div", { class: "content" }, ...detailContent(row).filter(Boolean)));
  node.hidden = false;
  document.body.classList.add("open");
}

function closeDetail() {
  byId("detail").hidden = true;
  document.body.classList.remove("open");
  detail.row = null;
  const grid = byId("grid");
  if (grid) grid.focus({ preventScroll: true });
}
