import { builtin } from '@evalrpc/client';
import { evaluations, type Stage } from '../stage.js';

/** A null output is an output, an expected null is something to expect, and neither is nothing. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const { itemResults } = await client
    .run({
      name: stage.unique('run'),
      data: [{ input: null, expectedOutput: null }, { input: 1 }],
      task: () => null,
      evaluators: [builtin('exact_match', { name: 'right' })],
    })
    .result();
  return {
    outputs: itemResults.map(({ outputJson }) => outputJson),
    errors: itemResults.map(({ error }) => error ?? null),
    inputs: itemResults.map(({ item }) => item.inputJson),
    expected_outputs: itemResults.map(({ item }) => item.expectedOutputJson ?? null),
    evaluations: itemResults.map((each) => evaluations(each.evaluations)),
  };
}
