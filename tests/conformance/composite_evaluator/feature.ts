import { builtin } from '@evalrpc/client';
import { evaluations, type Stage } from '../stage.js';

/** A function that sees an item's evaluations and adds its own. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('run'),
      data: [{ input: 'abc' }, { input: 'abcde' }],
      task: ({ input }) => input,
      evaluators: [
        builtin('length', { name: 'length' }),
        function half({ output }) {
          return output.length / 2;
        },
      ],
      compositeEvaluator: function overall({ evaluations: said }) {
        return said.reduce((sum, { value }) => sum + Number(value), 0);
      },
    })
    .result();
  return result.itemResults.map((each) => evaluations(each.evaluations));
}
