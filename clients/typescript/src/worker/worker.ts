import { Connection, type ConnectionOptions } from '../connection.js';
import type { AnyJson, Parse } from '../documents.js';
import type { EvalrpcError } from '../errors.js';
import type { CompositeEvaluator, Evaluator, ExperimentTask, RunEvaluator } from '../spec/functions.js';
import type { Hosted } from '../spec/hosting.js';
import { Service, type FunctionDetails } from './service.js';

const DEFAULT_MAX_IN_FLIGHT = 50;
const DEFAULT_GRACE_MS = 30_000;

/** How a worker does. */
export interface WorkerStatus {
  /** The worker's id. */
  readonly id: string;
  /** `STOPPED` before the start and after the end. */
  readonly state: 'STOPPED' | 'CONNECTING' | 'CONNECTED' | 'DRAINING';
  /** How many calls run. */
  readonly inFlight: number;
  /** Calls that ended well. */
  readonly completed: number;
  /** Calls that ended with an error. */
  readonly failed: number;
  /** Calls that were cancelled, or taken away. */
  readonly lost: number;
  /** Why there is no connection at the moment. */
  readonly lastError: EvalrpcError | undefined;
}

/** How a worker connects, and how much it does at once. */
export interface WorkerOptions extends ConnectionOptions {
  /** Identifies the worker across reconnects and restarts. Default: a new one. */
  readonly id?: string;
  /** How many calls it takes at once. Default: 50. */
  readonly maxInFlight?: number;
  /** How documents are parsed. Default: `JSON.parse`; `parseExact` keeps integers beyond ±2^53. */
  readonly parse?: Parse;
  /** For how long calls may go on once the worker is to stop, in milliseconds. Default: 30,000. */
  readonly graceMs?: number;
  /** Is told whenever the status changes. */
  readonly onStatus?: (status: WorkerStatus) => void;
}

/**
 * A process that hosts task and evaluator functions. It connects out to the server, so no port needs to be open; specs
 * refer to the functions by name, as `{ worker: { function } }`. It connects anew after a cut, for as long as it runs.
 *
 * Functions share one thread: one that computes for long without awaiting holds up the others and the heartbeats. Put such
 * work into a thread with `inThread()`.
 */
export class Worker implements AsyncDisposable {
  readonly #options: WorkerOptions;
  readonly #functions = new Map<string, Hosted>();
  readonly #details = new Map<string, FunctionDetails>();
  readonly #connection: Connection;
  #service: Service | undefined;
  #stopping: Promise<void> | undefined;
  #stopped = false;

  /**
   * @param options - how to connect
   * @throws TypeError if the address is none
   */
  constructor(options: WorkerOptions = {}) {
    this.#options = options;
    this.#connection = new Connection(options);
  }

  /** How the worker does. */
  get status(): WorkerStatus {
    const service = this.#service;
    return {
      id: service?.id ?? this.#options.id ?? '',
      state: this.#state(),
      inFlight: service?.running ?? 0,
      completed: service?.counts.completed ?? 0,
      failed: service?.counts.failed ?? 0,
      lost: service?.counts.lost ?? 0,
      lastError: service?.lastError,
    };
  }

  /**
   * Hosts a task function.
   *
   * @param name - by which specs refer to it
   * @param run - the function
   * @param details - what it does, and which inputs it takes
   */
  task<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson>(
    name: string,
    run: ExperimentTask<Input, ExpectedOutput, Metadata, Output>,
    details: FunctionDetails = {},
  ): this {
    return this.#host(name, { kind: 'task', run: run as ExperimentTask }, details);
  }

  /**
   * Hosts an evaluator function: of one item's result, or one that combines an item's evaluations.
   *
   * @param name - by which specs refer to it
   * @param run - the function
   * @param details - what it does
   */
  evaluator<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson>(
    name: string,
    run:
      | Evaluator<Input, ExpectedOutput, Metadata, Output>
      | CompositeEvaluator<Input, ExpectedOutput, Metadata, Output>,
    details: FunctionDetails = {},
  ): this {
    return this.#host(name, { kind: 'evaluator', run: run as CompositeEvaluator }, details);
  }

  /**
   * Hosts a run evaluator function.
   *
   * @param name - by which specs refer to it
   * @param run - the function
   * @param details - what it does
   */
  runEvaluator<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson>(
    name: string,
    run: RunEvaluator<Input, ExpectedOutput, Metadata, Output>,
    details: FunctionDetails = {},
  ): this {
    return this.#host(name, { kind: 'runEvaluator', run: run as RunEvaluator }, details);
  }

  /**
   * Connects, and returns once the server has welcomed the worker, however long that takes.
   *
   * @throws {@link EvalrpcError} if the server refuses the worker for good
   */
  async start(): Promise<void> {
    const service = this.#started();
    if (!service.connected) {
      const welcome = service.welcome();
      await Promise.race([welcome, service.serve()]);
    }
  }

  /**
   * Serves until `stop()` is called, or the process is told to end by SIGTERM or SIGINT: then it drains.
   *
   * @param options - which signals to heed
   * @throws {@link EvalrpcError} if the server refuses the worker for good
   */
  async run(options: { readonly signals?: readonly NodeJS.Signals[] } = {}): Promise<void> {
    const service = this.#started();
    const signals = options.signals ?? ['SIGTERM', 'SIGINT'];
    const stop = (): void => void this.stop();
    signals.forEach((signal) => process.once(signal, stop));
    try {
      await service.serve();
      await this.#stopping;
    } finally {
      signals.forEach((signal) => process.off(signal, stop));
    }
  }

  /**
   * Takes nothing new, lets calls finish within the grace time, and leaves. What is not finished goes to another worker.
   *
   * @param options - a grace time other than the worker's own
   */
  stop(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(options.graceMs ?? this.#options.graceMs ?? DEFAULT_GRACE_MS);
    return this.#stopping;
  }

  /** Stops the worker, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#service?.stop(graceMs);
    this.#stopped = true;
    this.#connection.close();
    this.#options.onStatus?.(this.status);
  }

  #host(name: string, hosted: Hosted, details: FunctionDetails): this {
    if (this.#service !== undefined) {
      throw new Error(`${name} must be hosted before the worker starts`);
    }
    if (this.#functions.has(name)) {
      throw new Error(`this worker hosts ${name} already; give each function a name of its own`);
    }
    this.#functions.set(name, hosted);
    this.#details.set(name, details);
    return this;
  }

  #started(): Service {
    if (this.#stopping !== undefined) {
      throw new Error('the worker was stopped; make a new one');
    }
    if (this.#service === undefined) {
      this.#service = new Service({
        connection: this.#connection,
        functions: this.#functions,
        details: this.#details,
        maxInFlight: this.#options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
        parse: this.#options.parse ?? JSON.parse,
        id: this.#options.id,
        changed: () => this.#options.onStatus?.(this.status),
      });
      // Who starts the worker without running it learns of a later refusal by its status.
      this.#service.serve().catch(() => undefined);
    }
    return this.#service;
  }
  #state(): WorkerStatus['state'] {
    if (this.#service === undefined || this.#stopped) {
      return 'STOPPED';
    }
    if (this.#service.draining) {
      return 'DRAINING';
    }
    return this.#service.connected ? 'CONNECTED' : 'CONNECTING';
  }
}
