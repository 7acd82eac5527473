import { isDeepStrictEqual } from 'node:util';
import { all, type Stage } from '../stage.js';

/** Events as they happen: each once, in order, with the progress; and again for whoever comes later. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const seen = await all(
    client.run({
      name: stage.unique('run'),
      data: [0, 1, 2, 3, 4].map((input) => ({ input })),
      task: ({ input }) => input,
    }),
  );
  const last = seen.at(-1);
  if (last?.kind !== 'experiment') {
    throw new Error('the last event is not of the experiment');
  }
  const again = await all(client.watch(last.experiment.id, { afterSequence: 2 }));
  const results = seen.filter((event) => event.kind === 'itemResult');
  const numbered = seen.map((_, index) => index + 1);
  return {
    without_gaps: isDeepStrictEqual(
      seen.map(({ sequence }) => sequence),
      numbered,
    ),
    results: results.map(({ itemResult }) => itemResult.output ?? -1).sort(),
    completed: results.map(({ progress }) => progress.completed),
    last: [last.experiment.state, last.experiment.progress.completed],
    again: isDeepStrictEqual(
      again.map(({ sequence }) => sequence),
      numbered.slice(2),
    ),
  };
}
