// Documents: null, a text, or {s or j: text, cut: characters left out}; see rows.py.

const rawText = (value) => (value === null || value === undefined ? "" : typeof value === "string" ? value : (value.j ?? value.s));

// Breaks JSON text into lines without reading its numbers, whose digits would not all survive.
function indented(text) {
  if (!/^[[{]/.test(text) || text.length > 200000) return text;
  let out = "", depth = 0, place = 0;
  const newline = () => "\n" + "  ".repeat(depth);
  while (place < text.length) {
    const char = text[place];
    if (char === '"') {
      let end = place + 1;
      while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
      out += text.slice(place, end + 1);
      place = end + 1;
      continue;
    }
    place += 1;
    if (char === "{" || char === "[") {
      const close = text.slice(place).match(/^\s*[}\]]/);
      if (close) {
        out += char + close[0].trim();
        place += close[0].length;
      } else {
        depth = Math.min(depth + 1, 100);
        out += char + newline();
      }
    } else if (char === "}" || char === "]") {
      depth = Math.max(depth - 1, 0);
      out += newline() + char;
    } else if (char === ",") out += char + newline();
    else if (char === ":") out += ": ";
    else if (!/\s/.test(char)) out += char;
  }
  return out;
}

const fullText = (value) => (value && value.j !== undefined ? indented(value.j) : rawText(value));
const shortText = (value) => rawText(value).slice(0, 300).replace(/\s+/g, " ");
const isAbsent = (value) => value === null || value === undefined;

function cutNote(value) {
  return value && value.cut ? el("p", { class: "note" }, `${plural(value.cut, "more character")} left out of this page`) : null;
}
