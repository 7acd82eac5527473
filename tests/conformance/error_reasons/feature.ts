import { errorOf, type Stage } from '../stage.js';

/** What goes wrong with calls is an error of its own kind; what goes wrong with a run is data. */
export async function run(stage: Stage): Promise<unknown> {
  const task = { worker: { function: stage.unique('nobody') } };
  const requestId = stage.unique('request');
  const data = [{ input: 1 }];
  using client = stage.client();
  using lost = stage.client({ address: '127.0.0.1:1' });
  await client.start({ name: 'x', data, task, requestId });
  const taken = (await errorOf(() => client.start({ name: 'y', data, task, requestId }))) as {
    kind: string;
    reason: string;
  };
  const failed = await client.run({ name: stage.unique('run'), data, task, workerWaitMs: 100 }).result();
  return {
    missing: await errorOf(() => client.get('exp_none')),
    wrong: await errorOf(() => client.start({ name: '', data, task: 'ftp://example.org' })),
    taken: { kind: taken.kind, reason: taken.reason },
    unreachable: await errorOf(() => lost.get('exp_none')),
    no_worker: failed.experiment.error?.reason,
  };
}
