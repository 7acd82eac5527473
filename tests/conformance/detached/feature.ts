import { all, type Stage } from '../stage.js';

/** An experiment that is started and left alone, joined by its request id, looked at and listed. */
export async function run(stage: Stage): Promise<unknown> {
  const [name, task, requestId] = [stage.unique('run'), stage.unique('task'), stage.unique('request')];
  await using worker = stage.worker().task(task, ({ input }) => {
    if (input === 2) {
      throw new Error('not this one');
    }
    return input as number;
  });
  await worker.start();
  using client = stage.client();
  const data = ['one', 'two', 'three'].map((id, index) => ({ id, input: index + 1 }));
  const start = () => client.start({ name, data, task: { worker: { function: task } }, requestId });
  const [started, again] = [await start(), await start()];
  await all(client.watch(started.id));
  return {
    started: started.id !== '',
    joined: again.id === started.id,
    state: (await client.get(started.id)).state,
    listed: (await all(client.list({ name }))).map(({ state }) => state),
    failed: (await all(client.listResults(started.id, { failedOnly: true }))).map(({ item }) => item.id),
    by_completion: (await all(client.listResults(started.id, { order: 'completion', pageSize: 1 }))).length,
    items: (await client.result(started.id)).itemResults.map(({ item }) => item.id),
  };
}
