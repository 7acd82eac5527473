import { availableParallelism } from 'node:os';
import { Worker as Thread } from 'node:worker_threads';
import type { AnyJson } from '../documents.js';
import type { CallContext } from '../spec/functions.js';
import { RetryableError } from './calls.js';

/** What is sent to a thread. */
export interface ThreadCall {
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** What a thread answers. */
export type ThreadAnswer =
  { readonly value: unknown } | { readonly error: { readonly name: string; readonly message: string } };

/** How functions run in threads. */
export interface ThreadOptions {
  /** How many threads there are at most. Default: one for each processor. */
  readonly threads?: number;
}

/** A task or evaluator function that runs in a thread. */
export type ThreadedFunction = (params: AnyJson, context: CallContext) => Promise<AnyJson>;

/**
 * Returns a task or evaluator function that calls an exported one in a thread of its own, for work that computes for long
 * without awaiting and would hold up everything else. A call that is cancelled ends its thread.
 *
 * The exported function gets what it would get otherwise, except the signal of its context. Both that and its answer are
 * copied, and must be plain JSON values.
 *
 * @param module - the module that exports the function: `new URL('./work.js', import.meta.url)`
 * @param name - the name it is exported under
 * @param options - how many threads there are
 */
export function inThread(module: URL, name = 'default', options: ThreadOptions = {}): ThreadedFunction {
  const pool = new ThreadPool(options.threads ?? availableParallelism());
  return (params: unknown, { signal, ...context }) =>
    pool.call({ module: module.href, name, args: [params, context] }, signal);
}

/** Threads that are begun as they are needed, and kept. They do not keep the process alive. */
class ThreadPool {
  readonly #limit: number;
  readonly #idle: Thread[] = [];
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
  }

  async call(call: ThreadCall, signal: AbortSignal): Promise<unknown> {
    while (this.#busy >= this.#limit) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    signal.throwIfAborted();
    this.#busy++;
    const thread = this.#idle.pop() ?? new Thread(new URL('./thread-main.js', import.meta.url));
    try {
      thread.ref();
      const answer = await answerOf(thread, call, signal);
      thread.unref();
      this.#idle.push(thread);
      return readAnswer(answer);
    } finally {
      this.#busy--;
      this.#waiting.shift()?.();
    }
  }
}

/** Waits for the answer of a thread; ends the thread where there will be none. */
function answerOf(thread: Thread, call: ThreadCall, signal: AbortSignal): Promise<ThreadAnswer> {
  return new Promise<ThreadAnswer>((resolve, reject) => {
    const answer = (value: ThreadAnswer): void => {
      settle();
      resolve(value);
    };
    const fail = (error: Error): void => {
      settle();
      void thread.terminate();
      reject(error);
    };
    const exit = (): void => {
      fail(new Error('the thread ended'));
    };
    const abort = (): void => {
      fail(signal.reason as Error);
    };
    const settle = (): void => {
      thread.off('message', answer).off('error', fail).off('exit', exit);
      signal.removeEventListener('abort', abort);
    };
    thread.on('message', answer).on('error', fail).on('exit', exit);
    signal.addEventListener('abort', abort);
    thread.postMessage(call);
  });
}

function readAnswer(answer: ThreadAnswer): unknown {
  if (!('error' in answer)) {
    return answer.value;
  }
  const { name, message } = answer.error;
  if (name === 'RetryableError') {
    throw new RetryableError(message);
  }
  throw Object.assign(new Error(message), { name });
}
