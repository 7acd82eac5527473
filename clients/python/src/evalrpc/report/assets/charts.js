// Small charts, drawn as SVG; the parts of a chart are buttons that filter the table.

const WIDTH = 300, HEIGHT = 84;

function part(properties, label, choose) {
  const act = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose();
  };
  const wired = choose ? { tabindex: 0, role: "button", "aria-label": label, onclick: act, onkeydown: act } : {};
  return svg("rect", { ...properties, ...wired }, svg("title", {}, label));
}

// Values in equal bins: `before` draws the baseline's as an outline. Bins of logarithms where `log`.
function histogram(values, { before = [], format = number, choose = null, log = false, name = "" } = {}) {
  const all = before.length ? values.concat(before) : values;
  if (!all.length) return el("p", { class: "note" }, "No values");
  let low = Infinity, high = -Infinity;
  for (const value of all) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const scale = log ? (value) => Math.log(Math.max(value, 1e-6)) : (value) => value;
  const back = log ? Math.exp : (value) => value;
  const few = !log && Number.isInteger(low) && Number.isInteger(high) && high - low < 20 && all.every(Number.isInteger);
  const bins = low === high ? 1 : few ? high - low + 1 : 20;
  const from = few ? low - 0.5 : scale(low), to = few ? high + 0.5 : scale(high);
  const binOf = (value) => Math.max(0, Math.min(bins - 1, Math.floor(((scale(value) - from) / (to - from || 1)) * bins)));
  const count = (list) => list.reduce((counts, value) => (counts[binOf(value)]++, counts), new Array(bins).fill(0));
  const now = count(values), then = before.length ? count(before) : null;
  const top = Math.max(...now, ...(then || [0]), 1), step = bins === 1 ? 40 : WIDTH / bins;
  const edge = (bin) => back(from + ((to - from) * bin) / bins);
  const marks = now.map((n, bin) => {
    const label = few ? format(low + bin) : bins === 1 ? format(low) : `${format(edge(bin))} to ${format(edge(bin + 1))}`;
    const height = n ? Math.max(2, (n / top) * HEIGHT) : 0;
    const told = `${label}: ${plural(n, "result")}${then ? `, baseline ${number(then[bin])}` : ""}`;
    return [
      n ? part({ class: "bar", x: bin * step + 0.5, width: Math.max(step - 1, 1), y: HEIGHT - height, height, rx: 1.5 }, told,
        choose && (() => choose(`${name} ${label}`, (value) => value !== null && binOf(value) === bin))) : null,
      then && then[bin] ? svg("path", { class: "outline", d: `M${bin * step + 0.5} ${HEIGHT - (then[bin] / top) * HEIGHT}h${Math.max(step - 1, 1)}` }) : null,
    ];
  });
  const picture = svg("svg", { viewBox: `0 -2 ${WIDTH} ${HEIGHT + 3}`, role: "group", "aria-label": `Distribution of ${name}`, class: "chart" },
    marks, svg("path", { class: "axis", d: `M0 ${HEIGHT + 0.5}h${WIDTH}` }));
  return el("div", { class: "histogram" }, picture,
    el("div", { class: "ends" }, el("span", {}, format(low)), then ? el("span", {}, "▬ baseline") : null, bins > 1 ? el("span", {}, format(high)) : null));
}

// One bar of parts that add up: [label, count, class, choose].
function stacked(parts, name) {
  const total = parts.reduce((sum, [, n]) => sum + n, 0) || 1;
  let x = 0;
  const marks = parts.filter(([, n]) => n).map(([label, n, kind, choose]) => {
    const width = (n / total) * WIDTH;
    const mark = part({ class: `bar ${kind}`, x, y: 0, width: Math.max(width - 1, 1), height: 16, rx: 2 }, `${label}: ${number(n)} (${percent(n / total)})`, choose);
    x += width;
    return mark;
  });
  return svg("svg", { viewBox: `0 0 ${WIDTH} 16`, preserveAspectRatio: "none", class: "stack", role: "group", "aria-label": `Shares of ${name}` }, marks);
}

const legend = (parts) => el("ul", { class: "legend" }, parts.filter(([, n]) => n).map(([label, n, kind, choose]) =>
  el("li", {}, el("button", { type: "button", class: "plain", onclick: choose }, el("i", { class: kind }), `${label} ${number(n)}`))));

// Bars below each other: [label, count, choose, note].
function bars(entries, kind = "") {
  const top = Math.max(...entries.map(([, n]) => n), 1);
  return el("ul", { class: "bars" }, entries.map(([label, n, choose, note]) => {
    const bar = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: `bar ${kind}`, width: (n / top) * 100, height: 8, rx: 1 }));
    return el("li", {}, el("button", { type: "button", class: "plain", onclick: choose, title: note || label },
      el("span", { class: "label" }, label), el("b", {}, number(n)), bar, note ? el("small", {}, note) : null));
  }));
}

// An interval on a line from `low` to `high`, with its middle and, where given, marks.
function intervalBar({ interval, middle, low, high, kind, zero = null, margin = null, label }) {
  const at = (value) => 6 + ((Math.max(low, Math.min(high, value)) - low) / (high - low || 1)) * (WIDTH - 12);
  return svg("svg", { viewBox: `0 0 ${WIDTH} 22`, class: `interval ${kind}`, role: "img", "aria-label": label },
    svg("title", {}, label),
    svg("path", { class: "axis", d: `M6 11h${WIDTH - 12}` }),
    zero === null ? null : svg("path", { class: "zero", d: `M${at(zero)} 1v20` }),
    margin ? svg("path", { class: "margin", d: `M${at(margin)} 1v20` }) : null,
    interval ? svg("rect", { class: "reach", x: at(interval[0]), width: Math.max(2, at(interval[1]) - at(interval[0])), y: 7, height: 8, rx: 4 }) : null,
    svg("circle", { class: "middle", cx: at(middle), cy: 11, r: 5 }));
}
