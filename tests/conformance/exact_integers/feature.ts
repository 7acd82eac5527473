import { parseExact } from '@evalrpc/client';
import type { Stage } from '../stage.js';

const NUMBERS = [2n ** 53n + 1n, -(2n ** 63n), 123456789012345678901234567890n];

/** Integers that no double holds reach the task, the evaluator and the caller to the last digit. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client({ parse: parseExact });
  const result = await client
    .run({
      name: stage.unique('run'),
      data: NUMBERS.map((input) => ({ input, expectedOutput: input + 1n })),
      task: ({ input }) => input + 1n,
      evaluators: [
        function right({ input, output, expectedOutput }) {
          return output === expectedOutput && output === input + 1n;
        },
      ],
    })
    .result();
  return {
    inputs: result.itemResults.map(({ item }) => item.inputJson),
    outputs: result.itemResults.map(({ outputJson }) => outputJson),
    right: result.itemResults.map(({ evaluations }) => evaluations[0]?.value),
  };
}
