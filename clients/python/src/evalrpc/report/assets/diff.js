// Two texts side by side, with what differs marked: the longest common subsequence of their words, or of their lines.

const MOST_STEPS = 1500000;

function tokens(text, lines) {
  return text.match(lines ? /[^\n]*\n|[^\n]+$/g : /\s+|[\p{L}\p{M}]+|\p{N}+|./gu) || [];
}

// Returns the parts of both texts as [text, whether it differs]; null where they are too long to compare.
function differences(before, after) {
  for (const lines of [false, true]) {
    const a = tokens(before, lines), b = tokens(after, lines);
    let start = 0, endA = a.length, endB = b.length;
    while (start < endA && start < endB && a[start] === b[start]) start += 1;
    while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) { endA -= 1; endB -= 1; }
    if ((endA - start) * (endB - start) > MOST_STEPS) continue;
    const [midA, midB] = common(a.slice(start, endA), b.slice(start, endB));
    const whole = (list, mid, end) => merged([...list.slice(0, start).map((text) => [text, false]), ...mid, ...list.slice(end).map((text) => [text, false])]);
    return [whole(a, midA, endA), whole(b, midB, endB)];
  }
  return null;
}

function common(a, b) {
  const width = b.length + 1, table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const left = [], right = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      left.push([a[i], false]);
      right.push([b[j], false]);
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) left.push([a[i++], true]);
    else right.push([b[j++], true]);
  }
  return [left, right];
}

function merged(parts) {
  const out = [];
  for (const [text, differs] of parts) {
    const last = out[out.length - 1];
    if (last && last[1] === differs) last[0] += text;
    else out.push([text, differs]);
  }
  return out;
}

const marked = (parts, tag) => parts.map(([text, differs]) => (differs ? el(tag, {}, text) : text));

// Two documents in two columns; an absent one says so.
function sideBySide([oneTitle, one], [otherTitle, other]) {
  const texts = [fullText(one), fullText(other)], both = !isAbsent(one) && !isAbsent(other);
  const same = both && texts[0] === texts[1], parts = both && !same ? differences(...texts) : null;
  const column = (title, value, place, tag) => el("div", { class: "document" }, el("h4", {}, title, same && place ? el("span", { class: "note" }, " identical") : null),
    isAbsent(value) ? el("p", { class: "note" }, "none") : el("pre", { dir: "auto", tabindex: 0 }, parts ? marked(parts[place], tag) : texts[place]), cutNote(value));
  return el("div", { class: "pair" }, column(oneTitle, one, 0, "del"), column(otherTitle, other, 1, "ins"));
}
