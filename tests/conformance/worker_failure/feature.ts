import { RetryableError } from '@evalrpc/client';
import { items, type Stage } from '../stage.js';

/** A function that fails, one that succeeds when it is called again, and one that never does. */
export async function run(stage: Stage): Promise<unknown> {
  await using worker = stage.worker().task(stage.unique('task'), ({ input }, { attempt }) => {
    if (input === 'broken') {
      throw new Error('no such thing');
    }
    if (input === 'hopeless' || attempt < 3) {
      throw new RetryableError('not yet');
    }
    return 'at last';
  });
  await worker.start();
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('run'),
      data: ['broken', 'flaky', 'hopeless'].map((id) => ({ id, input: id })),
      task: { worker: { function: stage.unique('task') } },
      retry: { maxAttempts: 3, initialBackoffMs: 10 },
    })
    .result();
  return {
    items: items(result.itemResults),
    says_why: result.itemResults[0]?.error?.message.includes('no such thing'),
    retried: result.experiment.progress.retried,
  };
}
