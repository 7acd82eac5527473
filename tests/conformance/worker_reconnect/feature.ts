import { Gate, type Stage } from '../stage.js';

/** A worker whose connection is cut comes back, and its calls go on: none is made twice. */
export async function run(stage: Stage): Promise<unknown> {
  const gate = new Gate();
  let calls = 0;
  const name = stage.unique('held');
  await using worker = stage.worker({ overWire: true }).task(name, async ({ input }) => {
    calls++;
    await gate.passThrough();
    return input as number;
  });
  await worker.start();
  using client = stage.client();
  const { id } = await client.start({
    name: stage.unique('run'),
    data: [0, 1, 2, 3].map((input) => ({ input })),
    task: { worker: { function: name } },
  });
  await gate.waitFor(4);
  await stage.cut();
  gate.open();
  const { itemResults } = await client.watch(id).result();
  return {
    outputs: itemResults.map(({ output }) => output as unknown),
    attempts: itemResults.map(({ attempts }) => attempts),
    calls,
  };
}
