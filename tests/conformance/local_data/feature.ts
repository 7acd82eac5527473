import { builtin } from '@evalrpc/client';
import { evaluations, items, type Stage } from '../stage.js';

type Country = string | { country: string };

function answer({ input }: { input: Country }): string {
  if (input === 'France') {
    return 'Paris';
  }
  if (typeof input === 'object' && input.country === 'Germany') {
    return 'Bonn';
  }
  throw new Error('there is no such country');
}

/** A local function over local data, judged by builtins. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('capitals'),
      runName: 'the first',
      metadata: { model: 'm', temperature: 0.5 },
      data: [
        { id: 'fr', input: 'France' as Country, expectedOutput: 'Paris', metadata: { continent: 'Europe' } },
        { id: 'de', input: { country: 'Germany' }, expectedOutput: 'Berlin' },
        { id: 'xx', input: 'Atlantis' },
      ],
      task: answer,
      evaluators: [builtin('exact_match', { name: 'accuracy' })],
      runEvaluators: [builtin('mean', { name: 'avg_accuracy', params: { evaluation: 'accuracy' } })],
    })
    .result();
  const { progress, metadata, summaries } = result.experiment;
  return {
    state: result.state,
    run_name: result.runName,
    metadata,
    progress: [progress.total, progress.completed, progress.failed],
    inputs: result.itemResults.map(({ item }) => item.input),
    expected_outputs: result.itemResults.map(({ item }) => item.expectedOutput ?? null),
    items: items(result.itemResults),
    run_evaluations: evaluations(result.runEvaluations),
    mean: summaries[0]?.mean,
  };
}
