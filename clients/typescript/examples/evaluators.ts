// All kinds of evaluator functions: of an item, of its evaluations together, of the whole run.
import { Client, taskOutput, type RunEvaluatorParams } from '@evalrpc/client';

using client = new Client();

const result = await client.experiment.run({
  name: 'Summaries',
  data: [
    { input: 'A long text about rivers.', expectedOutput: 'rivers', metadata: { topic: 'nature' } },
    { input: 'A long text about cars.', expectedOutput: 'cars' },
  ],
  // Passages, token counts and other facts go beside the output.
  task: ({ input }) => taskOutput(input.slice(18, -1), { usage: { inputTokens: 6, outputTokens: 1 } }),
  evaluators: [
    async function accuracy({ output, expectedOutput, metadata }) {
      return { value: output === expectedOutput, comment: `topic: ${metadata?.topic ?? 'none'}` };
    },
    // Several verdicts at once; null is "no value", never a 0.
    ({ output }) => [
      { name: 'length', value: output.length },
      { name: 'tone', value: output.includes('!') ? 'excited' : null, unscored: 'no exclamation mark' },
    ],
  ],
  compositeEvaluator: function overall({ evaluations }) {
    return evaluations.filter((each) => each.value === true).length;
  },
  runEvaluators: [
    function pass_rate({ itemResults }: RunEvaluatorParams) {
      const passed = itemResults.filter((each) => each.evaluations.some(({ value }) => value === true));
      return { value: passed.length / itemResults.length, comment: `${passed.length} passed` };
    },
  ],
});
console.log(result.format());
