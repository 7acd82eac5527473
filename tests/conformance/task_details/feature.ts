import { taskOutput } from '@evalrpc/client';
import type { Stage } from '../stage.js';

/** A task that has more to say than its output; and one that may see the expected output. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const data = [{ input: 'France', expectedOutput: 'Paris' }];
  const result = await client
    .run({
      name: stage.unique('run'),
      data,
      task: () =>
        taskOutput('Paris', {
          contexts: [{ text: 'Paris is a city.', id: 'doc-1', score: 0.5 }, 'France is a country.'],
          usage: { inputTokens: 10, outputTokens: 3, costUsd: 0.25, model: 'm' },
          metadata: { seed: 7 },
        }),
      evaluators: [
        ({ contexts, usage }) => ({
          name: 'seen',
          value: true,
          metadata: { seen: [contexts.length, contexts[0]?.text, usage?.inputTokens] },
        }),
      ],
    })
    .result();
  const shown: unknown[] = [];
  for (const includeExpectedOutput of [false, true]) {
    const { itemResults } = await client
      .run({
        name: stage.unique('shown'),
        data,
        task: ({ expectedOutput }) => expectedOutput ?? null,
        includeExpectedOutput,
      })
      .result();
    shown.push(itemResults[0]?.output);
  }
  const [found] = result.itemResults;
  const { usage } = found ?? {};
  return {
    output: found?.output,
    contexts: found?.contexts.map(({ text, id, score }) => [text, id ?? null, score ?? null]),
    usage: [usage?.inputTokens, usage?.outputTokens, usage?.costUsd, usage?.model],
    metadata: found?.outputMetadata as unknown,
    seen_by_evaluator: (found?.evaluations[0]?.metadata as { seen: unknown }).seen,
    expected_output_shown: shown,
  };
}
