// Reads the run that the page holds, or asks the server for it and follows it.

function drawAll() {
  drawHeader();
  drawVerdict();
  drawSummary();
  drawTable();
}

function readScript(id) {
  const node = byId(id), value = node ? JSON.parse(node.textContent) : null;
  if (node) node.remove(); // the text is of no use beside what was read from it
  return value;
}

function addKeys() {
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "Escape" && detail.row) closeDetail();
    else if (event.key === "Escape" && typing) grid.node.focus({ preventScroll: true });
    else if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key === "/") { event.preventDefault(); byId("search").focus(); }
    else if ((event.key === "j" || event.key === "k") && !event.defaultPrevented) moveTo(grid.selected + (event.key === "j" ? 1 : -1), false);
  });
  narrow.addEventListener("change", () => drawTable());
  addEventListener("resize", () => grid.node && drawVisible());
  addEventListener("beforeprint", drawPrinted);
  addEventListener("afterprint", () => document.querySelectorAll(".printed").forEach((node) => node.remove()));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function say(kind, headline, ...children) {
  const node = byId("verdict");
  node.className = kind;
  node.replaceChildren(el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[kind]), el("div", {}, el("h2", {}, headline), children));
}

// Asks the reader for a token; it stays in this tab and goes to this server alone.
function askToken() {
  return new Promise((resolve) => {
    const field = el("input", { type: "password", id: "token", autocomplete: "off", "aria-label": "Token", required: true });
    const form = el("form", { class: "token", onsubmit: (event) => { event.preventDefault(); sessionStorage.setItem("evalrpc-token", field.value.trim()); resolve(); } }, field, el("button", { type: "submit" }, "Show the run"));
    say("plain", "This server asks for a token", el("p", {}, "It is kept in this tab until the tab is closed."), form);
    field.focus();
  });
}

async function follow() {
  let cursor = "", ended = false, problems = 0, waiting = 0, told = "";
  while (!ended) {
    const token = sessionStorage.getItem("evalrpc-token");
    let answer = null;
    try {
      const url = `${location.pathname.replace(/\/+$/, "")}/report?after=${encodeURIComponent(cursor)}`;
      answer = await fetch(url, { headers: token ? { authorization: `Bearer ${token}` } : {}, credentials: "omit", cache: "no-store" });
      if (answer.status === 401) {
        sessionStorage.removeItem("evalrpc-token");
        await askToken();
        continue;
      }
      if (answer.status === 404) return say("bad", "There is no such run");
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const update = await answer.json();
      const moved = update.cursor !== cursor || told !== JSON.stringify(update.experiment);
      cursor = update.cursor;
      ended = ENDED.has(update.experiment.state) && !update.more;
      run.experiment = update.experiment;
      addRows(update.rows);
      problems = 0;
      waiting += update.rows.length;
      if (moved && (!update.more || waiting >= 2000 || update.rows.length === run.rows.length)) {
        told = JSON.stringify(update.experiment);
        waiting = 0;
        drawAll();
      }
      if (!ended) await pause(update.more ? 0 : 1000);
    } catch (error) {
      problems += 1;
      if (!run.experiment) say("open", "The server cannot be reached", el("p", {}, String(error.message || error)));
      const asked = Number(answer && answer.headers.get("retry-after"));
      await pause(Math.max(1000 * (asked || 0), Math.min(30000, 1000 * 2 ** problems)));
    }
  }
}

function start() {
  const data = readScript("run-head");
  addKeys();
  if (data.live) {
    follow();
    return;
  }
  Object.assign(run, { experiment: data.experiment, baseline: data.baseline, comparison: data.comparison, generated: data.generated, lower: new Set(data.lower_is_better) });
  drawHeader(); // at once: the results may be many, and stand behind this script
  if (run.comparison || run.experiment.gates) drawVerdict();
  document.addEventListener("DOMContentLoaded", showRows);
}

function showRows() {
  for (const array of readScript("baseline-rows") || []) {
    const row = decodeRow(array);
    run.baselineRows.set(row.key, row);
  }
  addRows(readScript("run-rows") || []);
  drawAll();
}

start();
