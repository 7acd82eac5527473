import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Worker } from '@evalrpc/client';

const FUNCTION = 'survive';
const HELD = 20; // every so many-th item is held
const POLL_MS = 20;

/**
 * Hosts functions until the process is asked to end: one for survival.py, and `nothing-ID`. A call of the first appends a line
 * to DIRECTORY/ID: the input, and the time in milliseconds. Held calls last until DIRECTORY/open exists.
 */
export async function host(id: string, directory: string): Promise<void> {
  const { address } = JSON.parse(process.env['CONFORMANCE'] ?? '') as { address: string };
  const gate = join(directory, 'open');
  const worker = new Worker({ address, id, maxInFlight: 64 }).task(FUNCTION, async ({ input }) => {
    const number = Number(input);
    appendFileSync(join(directory, id), `${number} ${Date.now()}\n`);
    await setTimeout(2);
    while (number % HELD === HELD - 1 && !existsSync(gate)) {
      await setTimeout(POLL_MS);
    }
    return number ** 2;
  });
  worker.task(`nothing-${id}`, () => null);
  await worker.start();
  process.stdout.write('connected\n');
  await worker.run();
}
