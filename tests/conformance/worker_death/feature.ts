import { Gate, type Stage } from '../stage.js';

/** A worker with calls in flight is gone without a word; when its lease is over, another one gets them. */
export async function run(stage: Stage): Promise<unknown> {
  const gate = new Gate();
  const by = { gone: 0, there: 0 };
  const name = stage.unique('held');
  const host = (who: keyof typeof by) =>
    stage.worker({ overWire: who === 'gone', graceMs: 0 }).task(name, async ({ input }) => {
      by[who]++;
      await gate.passThrough();
      return input as number;
    });
  await using gone = host('gone');
  await using there = host('there');
  await gone.start();
  using client = stage.client();
  const { id } = await client.start({
    name: stage.unique('run'),
    data: [0, 1].map((input) => ({ input })),
    task: { worker: { function: name } },
  });
  await gate.waitFor(2);
  await stage.sever();
  await there.start();
  await gate.waitFor(2);
  gate.open();
  const result = await client.watch(id).result();
  await stage.mend();
  return {
    outputs: result.itemResults.map(({ output }) => output as unknown),
    attempts: result.itemResults.map(({ attempts }) => attempts),
    by,
    retried: result.experiment.progress.retried,
  };
}
