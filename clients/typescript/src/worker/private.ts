import type { Connection } from '../connection.js';
import type { Parse } from '../documents.js';
import type { FunctionHost } from '../run.js';
import type { Hosting } from '../spec/hosting.js';
import { Service } from './service.js';

const MOST_IN_FLIGHT = 10_000;

/** Returns what hosts the functions of one run while it is followed; undefined if there are none. */
export function privateWorker(
  connection: Connection,
  { functions }: Hosting,
  maxConcurrency: number,
  parse: Parse,
): FunctionHost | undefined {
  if (functions.size === 0) {
    return undefined;
  }
  // Evaluators have limits of their own: each may be called as often at once as the task.
  const maxInFlight = Math.min(MOST_IN_FLIGHT, Math.max(1, maxConcurrency) * functions.size);
  let service: Service | undefined;
  return {
    start(failed) {
      const started = new Service({ connection, functions, maxInFlight, parse });
      service = started;
      started.serve().catch((error: unknown) => {
        failed(error as Error);
      });
    },
    async stop() {
      await service?.stop(0, false); // the run has ended, or the caller has left it
      service = undefined;
    },
  };
}
