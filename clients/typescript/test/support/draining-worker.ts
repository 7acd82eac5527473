// A worker in a process of its own, for the tests to end: its call is done once the worker drains.
import { Worker } from '../../src/index.js';

const worker = new Worker({ maxInFlight: 1 }).task(process.env['FUNCTION']!, async () => {
  console.log('begun');
  while (worker.status.state !== 'DRAINING') {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return 'drained';
});
await worker.run();
