import { describe, expect } from 'vitest';
import { RetryableError, type CallContext } from '@evalrpc/client';
import { deferred, rejection, test } from './support/fixtures.js';

// Threads load a built file, so that what is tested is the package.
const { inThread } = (await import(
  new URL('../dist/index.js', import.meta.url).href
)) as typeof import('@evalrpc/client');
const MODULE = new URL('support/computing.js', import.meta.url);

function context(signal = new AbortController().signal): CallContext {
  const experiment = { id: 'exp', name: 'x', runName: 'x 1' };
  return { signal, trial: 1, attempt: 2, experiment, traceContext: { traceparent: '00-1-2-01' } };
}

describe('a function in a thread', () => {
  test('gets its parameters and its context, and answers', async () => {
    expect(await inThread(MODULE, 'echo')({ input: [1, null] }, context())).toEqual({
      params: { input: [1, null] },
      attempt: 2,
      trace: '00-1-2-01',
    });
    expect(await inThread(MODULE)({ input: 1 }, context())).toBe('default');
  });

  test('holds nothing up, whatever it computes', async () => {
    const spinning = inThread(MODULE, 'spin', { threads: 1 })({ input: 200 }, context());
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    await spinning;
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  test('that throws fails its call alone', async () => {
    const run = inThread(MODULE, 'fail', { threads: 1 });
    expect(await rejection(run({ input: 'RangeError' }, context()))).toMatchObject({
      name: 'RangeError',
      message: 'failed',
    });
    expect(await rejection(run({ input: 'RetryableError' }, context()))).toMatchObject({
      name: new RetryableError().name,
    });
    expect(await run({ input: '' }, context())).toBe('fine');
    expect(String(await rejection(inThread(MODULE, 'missing')({}, context())))).toContain(
      'no function missing',
    );
  });

  test('that ends its thread, or is cancelled, leaves room for the next one', async () => {
    const run = inThread(MODULE, 'fail', { threads: 1 });
    await expect(run({ input: 'exit' }, context())).rejects.toThrow('ended');
    const controller = new AbortController();
    const spinning = rejection(
      inThread(MODULE, 'spin', { threads: 1 })({ input: 60_000 }, context(controller.signal)),
    );
    const waiting = rejection(
      inThread(MODULE, 'spin', { threads: 1 })({ input: 0 }, context(AbortSignal.abort())),
    );
    const reason = new Error('given up');
    controller.abort(reason);
    expect(await spinning).toBe(reason);
    expect(await waiting).toMatchObject({ name: 'AbortError' });
    expect(await run({ input: '' }, context())).toBe('fine');
  });

  test('serves as a task', async ({ client }) => {
    const seen = deferred();
    const { itemResults } = await client
      .run({
        name: 'Threads',
        data: [{ input: 'a' }, { input: 'b' }],
        task: inThread(MODULE, 'shout'),
        evaluators: [
          () => {
            seen.resolve();
            return true;
          },
        ],
      })
      .result();
    await seen.promise;
    expect(itemResults.map((each) => each.output)).toEqual(['A', 'B']);
  });
});
