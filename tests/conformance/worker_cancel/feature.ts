import { once } from 'node:events';
import { Gate, type Stage } from '../stage.js';

/** Calls that take too long are cancelled: the functions learn of it, and the worker goes on. */
export async function run(stage: Stage): Promise<unknown> {
  const told = new Gate();
  const name = stage.unique('task');
  await using worker = stage.worker({ maxInFlight: 2 }).task(name, async ({ input }, { signal }) => {
    if (input !== 'endless') {
      return input as number;
    }
    await once(signal, 'abort');
    void told.passThrough();
    return undefined;
  });
  await worker.start();
  using client = stage.client();
  const task = { worker: { function: name } };
  const result = await client
    .run({
      name: stage.unique('run'),
      data: ['a', 'b'].map((id) => ({ id, input: 'endless' })),
      task,
      taskTimeoutMs: 300,
      retry: 1,
    })
    .result();
  await told.waitFor(2);
  const after = await client.run({ name: stage.unique('after'), data: [{ input: 5 }], task }).result();
  return {
    errors: result.itemResults.map(({ error }) => error?.reason),
    told: 2,
    goes_on: after.itemResults[0]?.output as unknown,
  };
}
