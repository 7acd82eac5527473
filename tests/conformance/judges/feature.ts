import { expression, InvalidRequestError, judge } from '@evalrpc/client';
import { errorOf, evaluations, type Stage } from '../stage.js';

/** Language models that judge, CEL expressions, and how far a judge agrees with people; this one lacks its key. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const polite = judge({
    name: 'polite',
    rubric: 'Is the output polite?',
    boolean: {},
    models: [{ model: 'm', apiKey: '${secret:NOT_THERE}' }],
  });
  const result = await client
    .run({
      name: stage.unique('run'),
      data: [{ input: 1 }],
      task: () => 'It is Paris.',
      evaluators: [expression('size(output) > 20', { name: 'long' }), polite],
    })
    .result();
  const measured = await client.calibrateJudge(polite, [
    { output: 'Please.', verdict: true },
    { output: 'No!', verdict: false },
  ]);
  const wrong = (await errorOf(() =>
    client.start({
      name: 'x',
      data: [{ input: 1 }],
      task: { worker: { function: 'f' } },
      evaluators: [expression('answer > 1', { name: 'wrong' })],
    }),
  )) as InvalidRequestError;
  return {
    evaluations: evaluations(result.itemResults[0]?.evaluations ?? []),
    calibration: [measured.n, measured.errors, measured.unscored],
    wrong: wrong.violations,
  };
}
