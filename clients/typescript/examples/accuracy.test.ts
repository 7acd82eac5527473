// Experiments as tests: `npx vitest run`.
import { test } from 'vitest';
import { builtin, Client } from '@evalrpc/client';
import { expectExperiment } from '@evalrpc/client/vitest';

const questions = [
  { input: 'France', expectedOutput: 'Paris' },
  { input: 'Germany', expectedOutput: 'Berlin' },
];

async function experiment(answers: Record<string, string>) {
  using client = new Client();
  return await client.experiment.run({
    name: 'Capitals',
    data: questions,
    task: ({ input }) => answers[input],
    evaluators: [builtin('exact_match', { name: 'accuracy' })],
    runEvaluators: [builtin('mean', { name: 'avg_accuracy', params: { evaluation: 'accuracy' } })],
  });
}

test('accuracy passes above 0.8', async () => {
  expectExperiment(await experiment({ France: 'Paris', Germany: 'Berlin' })).toPass({ avg_accuracy: 0.8 });
});

test('fails below', async () => {
  expectExperiment(await experiment({ France: 'Paris', Germany: 'Bonn' })).toFail({ avg_accuracy: 0.8 });
});
