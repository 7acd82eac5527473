import type { Stage } from '../stage.js';

/** The connection is cut again and again under a run and its functions; both go on. */
export async function run(stage: Stage): Promise<unknown> {
  let cuts = 0;
  const sequences: number[] = [];
  const outputs: number[] = [];
  using client = stage.client({ address: stage.wireAddress });
  const followed = client.run({
    name: stage.unique('run'),
    data: Array.from({ length: 30 }, (_, input) => ({ input })),
    task: ({ input }) => input,
    maxConcurrency: 2,
    retry: 5,
  });
  for await (const event of followed) {
    sequences.push(event.sequence);
    if (event.kind === 'itemResult') {
      outputs.push(event.itemResult.output ?? -1);
      if ([5, 12, 20].includes(outputs.length)) {
        await stage.cut();
        cuts++;
      }
    }
  }
  return {
    state: (await followed.result()).state,
    without_gaps: sequences.every((sequence, index) => sequence === index + 1),
    cuts,
    outputs: outputs.sort((one, other) => one - other),
  };
}
