import type { Stage } from '../stage.js';

/** Each item is run several times, and only the first items are. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('run'),
      data: ['a', 'b', 'c'].map((id) => ({ id, input: id })),
      task: ({ input }, { trial }) => `${input}-${trial}`,
      repetitions: 3,
      dryRunItems: 2,
    })
    .result();
  return {
    trials: result.itemResults.map(({ item, trial, output }) => [item.id, trial, output]),
    total: result.experiment.progress.total,
  };
}
