import { describe, expect } from 'vitest';
import { Client, NotImplementedByServerError } from '@evalrpc/client';
import { all, deferred, first, rejection, test } from './support/fixtures.js';
import { Scripted, state } from './support/scripted.js';

describe('functions of a run', () => {
  test('are cut off by the time limit, and their slots are free again', async ({ client }) => {
    const reasons: unknown[] = [];
    const { itemResults } = await client
      .run({
        name: 'Slow',
        data: [{ input: 'deaf' }, { input: 'heeding' }, { input: 'quick' }],
        maxConcurrency: 1,
        taskTimeoutMs: 300,
        retry: 1,
        task: ({ input }, { signal }) =>
          input === 'quick'
            ? 'done'
            : new Promise<string>((_, reject) => {
                if (input === 'heeding') {
                  signal.addEventListener('abort', () => {
                    reasons.push(signal.reason);
                    reject(signal.reason as Error);
                  });
                }
              }),
      })
      .result();
    expect(itemResults.map((each) => each.error?.reason)).toEqual([
      'TASK_TIMEOUT',
      'TASK_TIMEOUT',
      undefined,
    ]);
    expect(reasons).toEqual([expect.objectContaining({ name: 'AbortError' })]);
  });

  test('run at once, as many as the concurrency allows', async ({ client }) => {
    let [running, most] = [0, 0];
    const go = deferred();
    await client
      .run({
        name: 'Concurrent',
        data: Array.from({ length: 30 }, (_, input) => ({ input })),
        maxConcurrency: 10,
        task: async () => {
          most = Math.max(most, ++running);
          if (running === 10) {
            go.resolve();
          }
          await go.promise;
          running--;
        },
      })
      .result();
    expect(most).toBe(10);
  });

  test('are hosted again by a process that repeats the request', async ({ client }) => {
    const options = {
      name: 'Repeated',
      requestId: `repeated-${Math.random()}`,
      data: [1, 2, 3].map((input) => ({ input })),
      maxConcurrency: 1,
    };
    const left = client.run({ ...options, task: () => new Promise<number>(() => undefined) });
    await first(left); // leaves it, and with it the worker
    const result = await client.run({ ...options, task: ({ input }) => input * 2 }).result();
    expect(result.experimentId).toBe(left.experimentId);
    expect(result.itemResults.map((each) => each.output)).toEqual([2, 4, 6]);
  });

  test('stop with their run when it is cancelled', async ({ client }) => {
    let aborted = 0;
    const begun = deferred();
    const run = client.run({
      name: 'Cancelled',
      data: [{ input: 1 }],
      task: (_, { signal }) =>
        new Promise(() => {
          begun.resolve();
          signal.addEventListener('abort', () => aborted++);
        }),
    });
    const result = run.result();
    await begun.promise;
    await expect.poll(() => run.experimentId).toBeDefined(); // the call may come before the first event
    await client.cancel(run.experimentId!);
    expect((await result).state).toBe('CANCELLED');
    await expect.poll(() => aborted).toBe(1);
  });

  test('cannot be hosted by a start that returns at once', async ({ client }) => {
    const error = await rejection(client.start({ name: 'x', data: [{ input: 1 }], task: () => 1 }));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain('run()');
    const evaluators = [(() => 1) as never];
    expect(String(await rejection(client.evaluate('exp_1', { evaluators })))).toContain('workerEvaluator()');
  });

  test('are told to be hosted nowhere by a server that has no workers', async () => {
    await using server = await Scripted.start();
    server.scripts = [[state(1, 'PENDING'), () => new Promise(() => undefined)]];
    using client = new Client({ address: server.address });
    const error = await rejection(client.run({ name: 'x', data: [{ input: 1 }], task: () => 1 }).result());
    expect(error).toBeInstanceOf(NotImplementedByServerError);
  });

  test('take many items', async ({ client }) => {
    const data = Array.from({ length: 1000 }, (_, input) => ({ input }));
    const run = client.run({ name: 'Many', data, task: ({ input }) => input + 1, runEvaluators: [count] });
    const events = await all(run);
    expect(events.filter((event) => event.kind === 'itemResult')).toHaveLength(1000);
    const result = await run.result();
    expect(result.itemResults.map((each) => each.output)).toEqual(data.map(({ input }) => input + 1));
    expect(result.runEvaluations).toMatchObject([{ name: 'count', value: 1000 }]);
  });
});

function count({ itemResults }: { itemResults: readonly unknown[] }): number {
  return itemResults.length;
}
