import type { MessageInitShape } from '@bufbuild/protobuf';
import { randomUUID } from 'node:crypto';
import { pause, type Backoff } from '../backoff.js';
import type { Connection } from '../connection.js';
import type { Parse } from '../documents.js';
import { errorFromCall } from '../error-mapping.js';
import { UnavailableError, type EvalrpcError } from '../errors.js';
import { FunctionKind, type HostedFunctionSchema } from '../gen/evalrpc/v1/worker_pb.js';
import { WorkerService } from '../gen/evalrpc/v1/worker_service_pb.js';
import { isPassing } from '../resumption.js';
import { sleep } from '../sleep.js';
import { jsonObject } from '../spec/parsing.js';
import type { Hosted } from '../spec/hosting.js';
import { CLIENT_NAME, VERSION } from '../version.js';
import { Assignments, type CallCounts } from './assignments.js';
import { BATCHES } from './batches.js';
import { Session } from './session.js';

const BACKOFF: Backoff = { initialMs: 100, maxMs: 5_000 };
/** How long a worker that leaves waits for acknowledgements: without one, a crash of the server repeats the call. */
const ACKNOWLEDGEMENT_MS = 2_000;
const LEAVING_MS = 1_000;

const KINDS = {
  task: FunctionKind.TASK,
  evaluator: FunctionKind.EVALUATOR,
  runEvaluator: FunctionKind.RUN_EVALUATOR,
} as const;

/** What a worker tells about a function besides its name and kind. */
export interface FunctionDetails {
  /** What it does. */
  readonly description?: string;
  /** The JSON Schema of the inputs it takes. */
  readonly inputSchema?: Readonly<Record<string, unknown>>;
}

/** What a service is made of. */
export interface ServiceParts {
  readonly connection: Connection;
  readonly functions: ReadonlyMap<string, Hosted>;
  readonly details?: ReadonlyMap<string, FunctionDetails>;
  readonly maxInFlight: number;
  readonly parse: Parse;
  readonly id?: string | undefined;
  /** Is told whenever the connection or a count changes. */
  readonly changed?: () => void;
}

/** Hosts functions over streams that follow one another, from the start until it is stopped. */
export class Service {
  /** The worker's id, under which it goes on after a cut. */
  readonly id: string;
  /** Why the last stream ended; undefined while connected. */
  lastError: EvalrpcError | undefined;
  readonly #parts: ServiceParts;
  readonly #assignments: Assignments;
  readonly #ended = new AbortController();
  #session: Session | undefined;
  #connected = false;
  #draining = false;
  #serving: Promise<void> | undefined;
  #welcomes: (() => void)[] = [];

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.id = parts.id ?? `${CLIENT_NAME}-${randomUUID()}`;
    this.#assignments = new Assignments(parts.functions, (report) => {
      this.#session?.report(report);
      parts.changed?.();
    });
  }

  /** Whether the server has welcomed the worker, and the stream is open. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Whether nothing new is taken. */
  get draining(): boolean {
    return this.#draining;
  }

  /** How many calls run. */
  get running(): number {
    return this.#assignments.running;
  }

  /** How many calls went how. */
  get counts(): Readonly<CallCounts> {
    return this.#assignments.counts;
  }

  /**
   * Serves until the service is stopped. Streams that break are taken up anew, for as long as it takes.
   *
   * @throws {@link EvalrpcError} if the server refuses the worker for good
   */
  serve(): Promise<void> {
    this.#serving ??= this.#serve();
    return this.#serving;
  }

  /** Waits for the next welcome. */
  welcome(): Promise<void> {
    return new Promise((resolve) => this.#welcomes.push(resolve));
  }

  /**
   * Takes nothing new, lets calls finish for a while, and leaves. What is not finished then goes to another worker.
   *
   * @param graceMs - for how long calls may go on, in milliseconds
   * @param acknowledged - whether to wait a little until the server has stored the last reports
   */
  async stop(graceMs: number, acknowledged = true): Promise<void> {
    if (!this.#draining) {
      this.#draining = true;
      this.#session?.drain();
      this.#parts.changed?.();
    }
    await this.#assignments.idle(graceMs);
    if (acknowledged) {
      await (this.#connected
        ? this.#assignments.idle(ACKNOWLEDGEMENT_MS, { acknowledged: true })
        : this.#reportApart());
    }
    this.#ended.abort();
    this.#session?.leave('stopped');
    const timer = setTimeout(() => this.#session?.abort(), LEAVING_MS);
    await this.#serving?.catch(() => undefined); // it is for whoever serves
    clearTimeout(timer);
    this.#assignments.giveUpAll('the worker was stopped');
  }

  /** Hands in what was finished while there was no stream. What fails is forgotten: the calls go to another worker. */
  async #reportApart(): Promise<void> {
    const { connection } = this.#parts;
    const service = connection.service(WorkerService);
    const signal = AbortSignal.timeout(ACKNOWLEDGEMENT_MS);
    const reports = this.#assignments.unacknowledged.map((report) =>
      connection.call((call) => service.reportTask({ report }, call), { signal }),
    );
    await Promise.allSettled(reports);
  }

  async #serve(): Promise<void> {
    let attempt = 0;
    while (!this.#stopped()) {
      try {
        await this.#stream(() => (attempt = 0));
        this.lastError = new UnavailableError('the server ended the stream', { code: 'UNAVAILABLE' });
      } catch (thrown) {
        this.#parts.connection.throwIfClosed();
        this.lastError = errorFromCall(thrown, this.#parts.connection.address);
      }
      this.#session = undefined;
      this.#connected = false;
      this.#parts.changed?.();
      if (!this.#stopped()) {
        this.#throwIfRefused(this.lastError);
        attempt++;
        await sleep(pause(BACKOFF, attempt), this.#ended.signal).catch(() => undefined);
      }
    }
  }

  #stopped(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Throws an error that connecting anew does not help against. */
  #throwIfRefused(error: EvalrpcError): void {
    if (!isPassing(error) && error.reason !== 'WORKER_UNRESPONSIVE') {
      this.#assignments.giveUpAll(error.message);
      throw error;
    }
  }

  async #stream(welcomed: () => void): Promise<void> {
    const { connection, maxInFlight, parse } = this.#parts;
    this.#session = new Session({
      connection,
      assignments: this.#assignments,
      hello: {
        workerId: this.id,
        functions: this.#hostedFunctions(),
        maxInFlight,
        clientName: `evalrpc-${CLIENT_NAME}`,
        clientVersion: VERSION,
        capabilities: [BATCHES],
      },
      maxInFlight,
      parse,
      draining: () => this.#draining,
      welcomed: () => {
        welcomed();
        this.#connected = true;
        this.lastError = undefined;
        this.#welcomes.splice(0).forEach((resolve) => {
          resolve();
        });
        this.#parts.changed?.();
      },
    });
    await this.#session.serve();
  }

  #hostedFunctions(): MessageInitShape<typeof HostedFunctionSchema>[] {
    return [...this.#parts.functions].map(([name, { kind }]) => {
      const { description = '', inputSchema } = this.#parts.details?.get(name) ?? {};
      return {
        name,
        kind: KINDS[kind],
        description,
        ...(inputSchema && { inputSchema: jsonObject(inputSchema, `functions.${name}.inputSchema`) }),
      };
    });
  }
}
