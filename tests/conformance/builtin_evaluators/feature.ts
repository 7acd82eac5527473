import { builtin, InvalidRequestError } from '@evalrpc/client';
import { errorOf, evaluations, type Stage } from '../stage.js';

/** Evaluators that the server brings: used, listed, and refused where there is none of the name. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('run'),
      data: [{ input: 1, expectedOutput: 'paris' }],
      task: () => 'It is Paris.',
      evaluators: [
        builtin('contains', { params: { ignore_case: true } }),
        builtin('exact_match', { name: 'exact' }),
        builtin('length'),
        builtin('regex', { params: { pattern: '^It' } }),
      ],
      runEvaluators: [builtin('mean', { params: { evaluation: 'contains' } })],
    })
    .result();
  const listed = (await client.listBuiltinEvaluators({ level: 'item' })).find(
    ({ name }) => name === 'contains',
  );
  const unknown = (await errorOf(() =>
    client.start({
      name: 'x',
      data: [{ input: 1 }],
      task: { worker: { function: 'f' } },
      evaluators: [builtin('nothing')],
    }),
  )) as InvalidRequestError;
  return {
    evaluations: evaluations(result.itemResults[0]?.evaluations ?? []),
    run_evaluations: evaluations(result.runEvaluations),
    listed: [listed?.level, 'ignore_case' in (listed?.paramsSchema['properties'] as object)],
    unknown: unknown.violations,
  };
}
