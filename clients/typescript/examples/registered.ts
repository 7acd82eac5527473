// Evaluators kept on the server under a name, in versions that never change.
import { builtin, Client, registered } from '@evalrpc/client';

using client = new Client();

const evaluator = await client.registerEvaluator(builtin('contains', { params: { ignore_case: true } }), {
  name: 'mentions',
  description: 'Is the expected output in there?',
});
const { itemResults } = await client
  .run({
    name: 'Registered',
    data: [{ input: 'BERLIN', expectedOutput: 'Berlin' }],
    task: ({ input }) => input,
    evaluators: [registered(`${evaluator.name}@${evaluator.version}`)],
  })
  .result();
console.log(itemResults[0]?.evaluations[0]?.value);
await client.deleteEvaluator('mentions'); // runs keep what they use

const builtins = await client.listBuiltinEvaluators({ level: 'run' });
console.log(builtins.some(({ name }) => name === 'mean'));
