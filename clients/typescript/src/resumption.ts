import type { ExperimentEvent } from './gen/evalrpc/v1/event_pb.js';
import { pause, type Backoff } from './backoff.js';
import { EvalrpcError, ServerUnreachableError, UnavailableError, WatchInterruptedError } from './errors.js';
import { hasEnded, stateFromMessage } from './convert/states.js';

/** For how long to try to resume a stream without a message, in milliseconds. */
export const DEFAULT_PATIENCE_MS = 300_000;

const BACKOFF: Backoff = { initialMs: 200, maxMs: 5_000 };
const UNREACHED_ATTEMPTS = 4;
const TRANSPORT_CODES = new Set(['INTERNAL', 'UNKNOWN', 'CANCELLED', 'DATA_LOSS', 'ABORTED']);

/** Where a stream begins, and how patient it is. */
export interface ResumptionOptions {
  /** What to watch; undefined for an experiment that is still to be started. */
  readonly experimentId?: string;
  /** The event to start behind. */
  readonly afterSequence?: number;
  /** For how long without a message to try again, in milliseconds; 0 for not at all. */
  readonly patienceMs?: number;
  /** Returns the time in milliseconds. */
  readonly clock?: () => number;
  /** Returns random numbers from 0 to 1. */
  readonly random?: () => number;
}

/**
 * Where a stream of events is, and whether and when it goes on after a cut: the rules, apart from any connection.
 *
 * The server numbers events without gaps, stores each before it sends it, and can resume behind any of them. So a client
 * that remembers the last number sees every event once, however often the stream breaks.
 */
export class Resumption {
  /** The experiment; undefined until an event told it. */
  experimentId: string | undefined;
  /** The sequence of the last event taken in. */
  sequence: number;
  readonly #patienceMs: number;
  readonly #clock: () => number;
  readonly #random: () => number;
  #reached = false;
  #attempt = 0;
  #silentSince: number | undefined;
  #draining = false;
  #finished = false;

  constructor(options: ResumptionOptions = {}) {
    this.experimentId = options.experimentId;
    this.sequence = options.afterSequence ?? 0;
    this.#patienceMs = options.patienceMs ?? DEFAULT_PATIENCE_MS;
    this.#clock = options.clock ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
  }

  /** Tells whether the last event of all was taken in. */
  isFinished(): boolean {
    return this.#finished;
  }

  /**
   * Takes in what the server sent; tells whether it is news to the caller. Checkpoints, repeats and kinds of events that
   * this version does not know are not.
   *
   * @throws {@link UnavailableError} if an event is missing before this one, so that the stream must be taken up anew
   */
  accept(event: ExperimentEvent): boolean {
    this.#reached = true;
    if (event.kind.case === 'checkpoint') {
      this.#draining = event.kind.value.draining;
      if (!this.#draining) {
        this.#heard();
      }
      return false;
    }
    if (event.sequence <= this.sequence) {
      return false;
    }
    if (event.sequence !== this.sequence + 1) {
      throw new UnavailableError(`the server sent event ${event.sequence} after ${this.sequence}`, {
        code: 'UNAVAILABLE',
      });
    }
    this.sequence = event.sequence;
    this.#draining = false;
    this.#heard();
    if (event.kind.case === 'experiment') {
      this.experimentId = event.kind.value.id;
      this.#finished = hasEnded(stateFromMessage(event.kind.value.state));
    }
    return event.kind.case !== undefined;
  }

  /**
   * Returns the milliseconds to wait before the next try, after a failure or an end that came too early.
   *
   * @throws {@link EvalrpcError} if the failure is not a passing one, or the patience is at its end
   */
  delay(failure: EvalrpcError | undefined): number {
    const error =
      failure ?? new UnavailableError('the stream ended before the experiment did', { code: 'UNAVAILABLE' });
    if (!isPassing(error)) {
      throw error;
    }
    this.#reached ||= !(error instanceof ServerUnreachableError);
    const now = this.#clock();
    this.#silentSince ??= now;
    this.#attempt++;
    if (this.#draining && this.#attempt === 1 && this.#patienceMs > 0) {
      return 0; // announced: the next server may be there already
    }
    if (!this.#reached && this.#attempt >= UNREACHED_ATTEMPTS) {
      throw error; // there never was a connection: more likely a wrong address than a restart
    }
    const waitMs = Math.max(pause(BACKOFF, this.#attempt, this.#random), error.retryAfterMs ?? 0);
    if (now - this.#silentSince + waitMs > this.#patienceMs) {
      throw this.#interrupted(error);
    }
    return waitMs;
  }

  #heard(): void {
    this.#attempt = 0;
    this.#silentSince = undefined;
  }

  #interrupted(error: EvalrpcError): EvalrpcError {
    if (this.experimentId === undefined || error instanceof WatchInterruptedError) {
      return error;
    }
    return new WatchInterruptedError(
      `watching experiment ${this.experimentId} broke off after event ${this.sequence}: ${error.message}`,
      {
        code: error.code,
        reason: error.reason,
        metadata: {
          ...error.metadata,
          experiment_id: this.experimentId,
          after_sequence: String(this.sequence),
        },
        cause: error,
      },
    );
  }
}

/**
 * Tells whether a stream that failed like this may be taken up again.
 *
 * The server says UNAVAILABLE, or names a pause. Of the rest, what carries no reason of an evalrpc server was made up on
 * the way, by a proxy or a broken connection.
 */
export function isPassing(error: EvalrpcError): boolean {
  return (
    error instanceof UnavailableError ||
    error.retryAfterMs !== undefined ||
    (TRANSPORT_CODES.has(error.code) && error.reason === undefined)
  );
}
