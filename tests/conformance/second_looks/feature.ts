import { builtin, type ItemResult } from '@evalrpc/client';
import { errorOf, evaluations, type Stage } from '../stage.js';

const results = (itemResults: readonly ItemResult[]): unknown[] =>
  itemResults.map(({ item, output, error }) => [item.id, (output ?? null) as unknown, error?.reason ?? null]);

/** An ended run is looked at again: its outputs are judged by other evaluators, and what failed is repeated. */
export async function run(stage: Stage): Promise<unknown> {
  let [calls, failures] = [0, 0];
  const task = stage.unique('task');
  await using worker = stage.worker().task(task, ({ input }) => {
    calls++;
    if (input === 'a' && failures++ === 0) {
      throw new Error('not this time');
    }
    return String(input).toUpperCase();
  });
  await worker.start();
  using client = stage.client();
  const first = await client
    .run({
      name: stage.unique('run'),
      data: ['a', 'b'].map((id) => ({ id, input: id })),
      task: { worker: { function: task } },
    })
    .result();
  const evaluate = () =>
    client.evaluate(first.experimentId, {
      evaluators: [builtin('length', { name: 'size' })],
      runEvaluators: [builtin('mean', { name: 'mean', params: { evaluation: 'size' } })],
      requestId: stage.unique('evaluate'),
    });
  const [started, again] = [await evaluate(), await evaluate()];
  const evaluated = await client.watch(started.id).result();
  const afterEvaluating = calls;
  const { id } = await client.retry(first.experimentId, { scope: 'tasks' });
  const retried = await client.watch(id).result();
  const nothingLeft = (await errorOf(() => client.retry(id))) as { kind: string; reason: string };
  return {
    first: results(first.itemResults),
    evaluated: {
      kind: evaluated.experiment.origin?.kind.toLowerCase(),
      calls: afterEvaluating,
      results: results(evaluated.itemResults),
      evaluations: evaluations(evaluated.itemResults[1]?.evaluations ?? []),
      run_evaluations: evaluations(evaluated.runEvaluations),
    },
    retried: {
      kind: retried.experiment.origin?.kind.toLowerCase(),
      calls,
      results: results(retried.itemResults),
    },
    nothing_left: { kind: nothingLeft.kind, reason: nothingLeft.reason },
    joined: again.id === started.id,
  };
}
