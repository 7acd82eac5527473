// An experiment outlives the process that started it: start it, and watch it from anywhere, behind any event.
import { Client, hasEnded } from '@evalrpc/client';

const origin = process.env['APPLICATION'] ?? 'http://127.0.0.1:9000';
using client = new Client();

const started = await client.start({
  name: 'Overnight',
  data: [1, 2, 3].map((input) => ({ input })),
  task: `${origin}/task`,
  requestId: `overnight-${new Date().toISOString().slice(0, 13)}`, // a repeat joins the experiment
});

const run = client.watch(started.id); // resumes by itself when the connection breaks
for await (const event of run) {
  if (event.kind === 'itemResult') {
    break; // leaves the stream; the experiment runs on
  }
}
const later = client.watch(started.id, { afterSequence: run.lastSequence });
const { state } = await later.result();
console.log(state, hasEnded(state));
for await (const { id, name } of client.list({ name: 'Overnight', states: ['SUCCEEDED'] })) {
  console.log(`${name} ${id === started.id ? 'is the one' : 'is another one'}`);
}
