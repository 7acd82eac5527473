// The shortest experiment: a function of this process is the task, evaluators judge its outputs.
import { builtin, Client } from '@evalrpc/client';

const capitals: Record<string, string> = { France: 'Paris', Germany: 'Berlin' };
using client = new Client();

const result = await client.experiment.run({
  name: 'Geography Quiz',
  data: [
    { input: { country: 'France' }, expectedOutput: 'Paris' },
    { input: { country: 'Germany' }, expectedOutput: 'Berlin' },
  ],
  task: async ({ input }) => `It is ${capitals[input.country] ?? 'unknown'}.`,
  evaluators: [builtin('contains', { name: 'accuracy', params: { ignore_case: true } })],
  runEvaluators: [builtin('mean', { name: 'avg_accuracy', params: { evaluation: 'accuracy' } })],
});
console.log(result.format({ includeItemResults: true }));
