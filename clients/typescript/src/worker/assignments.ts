import type { ItemResult as ItemResultMessage } from '../gen/evalrpc/v1/item_result_pb.js';
import type { Assignment, ItemResultChunk, TaskReport } from '../gen/evalrpc/v1/worker_messages_pb.js';
import type { Hosted } from '../spec/hosting.js';
import { callFunction, type CallSettings } from './calls.js';

/** The results of a run, as they come in chunks. */
class RunResults {
  readonly all: Promise<readonly ItemResultMessage[]>;
  readonly #taken: ItemResultMessage[] = [];
  #number = 0;
  #complete!: (results: readonly ItemResultMessage[]) => void;

  constructor() {
    this.all = new Promise((resolve) => (this.#complete = resolve));
  }

  /** Takes a chunk in; one that was taken in before is passed over, as its acknowledgement may have been lost. */
  take(chunk: ItemResultChunk): void {
    if (chunk.number === this.#number + 1) {
      this.#number = chunk.number;
      this.#taken.push(...chunk.itemResults);
      if (chunk.last) {
        this.#complete(this.#taken);
      }
    }
  }
}

interface Running {
  readonly controller: AbortController;
  readonly results: RunResults | undefined;
}

/** How many calls went how. */
export interface CallCounts {
  completed: number;
  failed: number;
  lost: number;
}

/**
 * The assignments that a worker has: calls that run, and reports that the server has not acknowledged. They outlive the
 * stream they came over, so that a worker that connects anew goes on with them.
 */
export class Assignments {
  /** How many calls went how, since the worker was made. */
  readonly counts: CallCounts = { completed: 0, failed: 0, lost: 0 };
  readonly #running = new Map<string, Running>();
  readonly #unacknowledged = new Map<string, TaskReport>();
  readonly #functions: ReadonlyMap<string, Hosted>;
  readonly #finished: (report: TaskReport | undefined) => void;
  #changed: (() => void)[] = [];

  /** @param finished - is told the report of each call that has ended; undefined of one whose report nobody wants */
  constructor(functions: ReadonlyMap<string, Hosted>, finished: (report: TaskReport | undefined) => void) {
    this.#functions = functions;
    this.#finished = finished;
  }

  /** How many calls run. */
  get running(): number {
    return this.#running.size;
  }

  /** The reports that the server has not acknowledged. */
  get unacknowledged(): readonly TaskReport[] {
    return [...this.#unacknowledged.values()];
  }

  /** The tokens of all that the worker has. */
  get tokens(): string[] {
    return [...this.#running.keys(), ...this.#unacknowledged.keys()];
  }

  /** Begins a call. */
  begin(assignment: Assignment, settings: CallSettings): void {
    const { taskToken } = assignment;
    const results = assignment.call.case === 'runEvaluator' ? new RunResults() : undefined;
    const controller = new AbortController();
    this.#running.set(taskToken, { controller, results });
    const { signal } = controller;
    // A call that was given up is over, whether or not the function heeds the signal: its slot is free again.
    const givenUp = new Promise<undefined>((resolve) => {
      signal.addEventListener(
        'abort',
        () => {
          resolve(undefined);
        },
        { once: true },
      );
    });
    const hosted = this.#functions.get(assignment.function);
    const called = callFunction(hosted, assignment, results?.all, signal, settings);
    void Promise.race([called, givenUp]).then((report) => {
      this.#end(taskToken, report);
    });
  }

  /** Takes a chunk of results in; tells whether it belongs to a call that runs. */
  takeResults(chunk: ItemResultChunk): boolean {
    const results = this.#running.get(chunk.taskToken)?.results;
    results?.take(chunk);
    return results !== undefined;
  }

  /** Forgets a report that the server has stored, or does not want. */
  acknowledge(taskToken: string): void {
    this.#unacknowledged.delete(taskToken);
    this.#notify();
  }

  /** Gives up a call that is not this worker's any more. */
  giveUp(taskToken: string, reason: string): void {
    const running = this.#running.get(taskToken);
    if (running !== undefined) {
      this.counts.lost++;
      running.controller.abort(new DOMException(reason, 'AbortError'));
    }
    this.acknowledge(taskToken);
  }

  /** Gives up all calls that run. */
  giveUpAll(reason: string): void {
    for (const taskToken of [...this.#running.keys()]) {
      this.giveUp(taskToken, reason);
    }
  }

  /** Waits until no call runs, and with `acknowledged` also until no report waits; at most so many milliseconds. */
  async idle(milliseconds: number, { acknowledged = false } = {}): Promise<void> {
    const deadline = performance.now() + milliseconds;
    while (this.#running.size > 0 || (acknowledged && this.#unacknowledged.size > 0)) {
      const left = deadline - performance.now();
      if (left <= 0) {
        return;
      }
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        timer = setTimeout(resolve, Math.min(left, 2 ** 31 - 1));
        this.#changed.push(resolve);
      });
      clearTimeout(timer);
    }
  }

  #end(taskToken: string, report: TaskReport | undefined): void {
    this.#running.delete(taskToken);
    if (report !== undefined) {
      this.#unacknowledged.set(taskToken, report);
      this.counts[report.outcome.case === 'error' ? 'failed' : 'completed']++;
    }
    this.#finished(report);
    this.#notify();
  }

  #notify(): void {
    const changed = this.#changed;
    this.#changed = [];
    changed.forEach((resolve) => {
      resolve();
    });
  }
}
