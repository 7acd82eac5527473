// Runs modules one after the other, whose paths are the arguments; prints a JSON list of what each printed.
import { inspect } from 'node:util';

const printed = [];
const write = console.log;
for (const path of process.argv.slice(2)) {
  const lines = [];
  console.log = (...values) =>
    lines.push(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' '));
  await import(path);
  printed.push(lines.join('\n'));
}
write(JSON.stringify(printed));
process.exit(0); // some of the SDKs' clients have no end
