import { once } from 'node:events';
import { Gate, type Stage } from '../stage.js';

/** A run is cancelled; its functions learn of it. */
export async function run(stage: Stage): Promise<unknown> {
  const [begun, told] = [new Gate(), new Gate()];
  const held = stage.unique('held');
  await using worker = stage.worker().task(held, async (_item, { signal }) => {
    void begun.passThrough();
    await once(signal, 'abort');
    void told.passThrough();
  });
  await worker.start();
  using client = stage.client();
  const { id } = await client.start({
    name: stage.unique('run'),
    data: [{ input: 0 }, { input: 1 }],
    task: { worker: { function: held } },
  });
  await begun.waitFor(2);
  await client.cancel(id);
  const result = await client.watch(id).result();
  await told.waitFor(2);
  return {
    state: result.state,
    errors: result.itemResults.map(({ error }) => error?.reason),
    told: 2,
    twice: (await client.cancel(id)).state,
  };
}
