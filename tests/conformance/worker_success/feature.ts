import { workerEvaluator, type EvaluatorParams } from '@evalrpc/client';
import { all, evaluations, type Stage } from '../stage.js';

/** A worker hosts a task, an evaluator and a run evaluator; specs refer to them by name. */
export async function run(stage: Stage): Promise<unknown> {
  const [double, even, sum] = [stage.unique('double'), stage.unique('even'), stage.unique('sum')];
  await using worker = stage
    .worker()
    .task(double, ({ input }) => Number(input) * 2)
    .evaluator(even, ({ output }: EvaluatorParams) => Number(output) % 2 === 0)
    .runEvaluator(sum, ({ itemResults }) =>
      itemResults.reduce((total, { output }) => total + Number(output), 0),
    );
  await worker.start();
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('run'),
      data: [1, 2, 3].map((input) => ({ input })),
      task: { worker: { function: double } },
      evaluators: [workerEvaluator(even, { name: 'even' })],
      runEvaluators: [workerEvaluator(sum, { name: 'sum' })],
    })
    .result();
  const [listed] = await all(client.listWorkers({ function: double }));
  return {
    outputs: result.itemResults.map(({ output }) => output as unknown),
    evaluations: result.itemResults.map((each) => evaluations(each.evaluations)),
    run_evaluations: evaluations(result.runEvaluations),
    listed: [
      listed?.state,
      listed?.maxInFlight,
      listed?.functions.map(({ name }) => name.split('-').at(-1)).sort(),
    ],
    completed: worker.status.completed,
  };
}
