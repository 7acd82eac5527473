// A long-lived worker: hosts functions for runs that others start, here, with grpcurl, or from Langfuse's page.
import { inThread, Worker } from '@evalrpc/client';

const worker = new Worker({
  maxInFlight: 20,
  onStatus: ({ state, completed }) => {
    console.log(`${state}, ${completed} completed`);
  },
})
  .task('shout', ({ input }: { input: string }) => input.toUpperCase(), { description: 'Shouts.' })
  .evaluator('loud', ({ output }: { output: string }) => output === output.toUpperCase())
  // Work that computes for long goes into a thread, so that it holds nothing up.
  .task('prime', inThread(new URL('./primes.js', import.meta.url), 'nthPrime'));

await worker.run(); // until SIGTERM or SIGINT; then it finishes what it has, and leaves
console.log('gone');
