import { Gate, type Stage } from '../stage.js';

/** A worker that is asked to end finishes what it has; another one does the rest. */
export async function run(stage: Stage): Promise<unknown> {
  const gate = new Gate();
  const by = { leaving: 0, staying: 0 };
  const name = stage.unique('held');
  const host = (who: keyof typeof by) =>
    stage.worker().task(name, async ({ input }) => {
      by[who]++;
      await gate.passThrough();
      return input as number;
    });
  await using leaving = host('leaving');
  await using staying = host('staying');
  await leaving.start();
  using client = stage.client();
  const { id } = await client.start({
    name: stage.unique('run'),
    data: [0, 1, 2].map((input) => ({ input })),
    task: { worker: { function: name } },
    maxConcurrency: 1,
  });
  await gate.waitFor(1);
  const left = leaving.stop();
  await staying.start();
  gate.open();
  const { itemResults } = await client.watch(id).result();
  await left;
  return {
    outputs: itemResults.map(({ output }) => output as unknown),
    attempts: itemResults.map(({ attempts }) => attempts),
    by,
  };
}
