import { inject, test as base } from 'vitest';
import { Client, builtin, httpEvaluator, type RunOptions } from '@evalrpc/client';
import { Application, BOOM } from './application.js';

/** `test` with a client of the shared server and an application for it to call. */
export const test = base.extend<{ client: Client; app: Application }>({
  // eslint-disable-next-line no-empty-pattern -- vitest reads the fixtures that one needs from its parameter
  client: async ({}, use) => {
    const client = new Client({ address: inject('serverAddress') });
    await use(client);
    client.close();
  },
  // eslint-disable-next-line no-empty-pattern -- likewise
  app: async ({}, use) => {
    await using app = await Application.start();
    await use(app);
  },
});

export const CAPITALS = [
  { id: 'fr', input: 'Paris', expectedOutput: 'Paris', metadata: { continent: 'Europe' } },
  { id: 'none', input: BOOM, expectedOutput: 'Atlantis' },
  { id: 'de', input: 'Bonn', expectedOutput: 'Berlin' },
];

/** Returns the options of a run. */
export function quiz(app: Application, options: RunOptions = {}): RunOptions {
  return {
    name: 'Quiz',
    data: CAPITALS,
    task: app.task,
    evaluators: [
      httpEvaluator({ url: app.evaluate, name: 'right' }),
      builtin('contains', { name: 'accuracy', params: { ignore_case: true } }),
    ],
    runEvaluators: [builtin('mean', { name: 'avg_accuracy', params: { evaluation: 'accuracy' } })],
    ...options,
  };
}

/** Returns all that an iterable yields. */
export async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of source) {
    found.push(each);
  }
  return found;
}

/** Returns what a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`expected an error, not ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
}

/** Returns the first thing that an iterable yields, and leaves it. */
export async function first<T>(source: AsyncIterable<T>): Promise<T> {
  for await (const each of source) {
    return each;
  }
  throw new Error('expected something');
}

/** Returns a promise and what resolves it. */
export function deferred() {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
