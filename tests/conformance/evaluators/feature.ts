import { evaluations, type Stage } from '../stage.js';

/** What evaluator functions see, and all that they may say. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('run'),
      data: [{ input: 'in', expectedOutput: 'exp', metadata: { k: 1 } }],
      task: () => 'out',
      evaluators: [
        function number() {
          return 0.25;
        },
        async function flag() {
          return Promise.resolve(true);
        },
        function label() {
          return 'polite';
        },
        function nothing() {
          return null;
        },
        function several({ input, output, expectedOutput, metadata }) {
          const seen = [input, output, expectedOutput, metadata];
          return [
            { name: 'first', value: 1, comment: 'all of it', metadata: { seen } },
            { name: 'second', value: false },
          ];
        },
        function broken() {
          throw new Error('cannot judge');
        },
      ],
    })
    .result();
  const said = result.itemResults[0]?.evaluations ?? [];
  const summaries = new Map(
    result.experiment.summaries.map(({ name, n, unscored, errors }) => [name, [n, unscored, errors]]),
  );
  return {
    evaluations: evaluations(said),
    comment: said[4]?.comment,
    metadata: said[4]?.metadata as unknown,
    summaries: Object.fromEntries(['number', 'nothing', 'broken'].map((name) => [name, summaries.get(name)])),
  };
}
