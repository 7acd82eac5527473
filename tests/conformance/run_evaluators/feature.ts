import { evaluations, type Stage } from '../stage.js';

/** Functions that see all results of a run, more than fit into a message; one of them fails. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('run'),
      data: Array.from({ length: 450 }, (_, input) => ({ input })),
      task: ({ input }) => {
        if (input === 7) {
          throw new Error('not this one');
        }
        return input;
      },
      runEvaluators: [
        function counts({ itemResults }) {
          const failed = itemResults.filter(({ error }) => error !== undefined).length;
          return [
            { name: 'count', value: itemResults.length },
            { name: 'failed', value: failed },
          ];
        },
        function broken() {
          throw new Error('cannot judge');
        },
        async function sumOfAll({ itemResults }) {
          const value = itemResults.reduce((sum, { output }) => sum + (output ?? 0), 0);
          return Promise.resolve({ name: 'sum', value });
        },
      ],
    })
    .result();
  return evaluations(result.runEvaluations);
}
