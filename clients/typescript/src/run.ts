import type { Connection } from './connection.js';
import { eventFromMessage } from './convert/events.js';
import type { AnyJson, Parse } from './documents.js';
import { errorFromCall } from './error-mapping.js';
import { EvalrpcError } from './errors.js';
import type { ExperimentEvent as EventMessage } from './gen/evalrpc/v1/event_pb.js';
import type { ExperimentEvent } from './model/event.js';
import type { Experiment } from './model/experiment.js';
import type { ItemResult } from './model/item-result.js';
import { ExperimentResult } from './model/result.js';
import type { Resumption } from './resumption.js';
import { sleep } from './sleep.js';

/** Opens a stream of events: the run's own, or a watch behind what was seen. */
export type OpenStream = (
  resumption: Resumption,
  signal: AbortSignal,
) => Promise<AsyncIterable<{ readonly event?: EventMessage | undefined }>>;

/** What hosts the functions of a run while it is followed. */
export interface FunctionHost {
  /** Begins to host. Calls `failed` at most once, if that cannot go on. */
  start(failed: (error: Error) => void): void;
  /** Ends it. */
  stop(): Promise<void>;
}

/** What a run is made of. */
export interface RunParts<Input, ExpectedOutput, Metadata, Output> {
  readonly connection: Connection;
  readonly resumption: Resumption;
  readonly openStream: OpenStream;
  readonly fetchResult: (id: string) => Promise<ExperimentResult<Input, ExpectedOutput, Metadata, Output>>;
  readonly parse: Parse;
  readonly collect: boolean;
  readonly host?: FunctionHost | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The events of an experiment, each once, however often the connection breaks.
 *
 * Iterate over it to follow the experiment, ask `result()` for its end, or first the one and then the other. Nothing is
 * sent before. Leaving the iteration closes the stream; the experiment itself runs on, and another iteration goes on where
 * this one was left. Functions passed to `run()` are hosted only while it is iterated.
 */
export class Run<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> implements AsyncIterable<ExperimentEvent<Input, ExpectedOutput, Metadata, Output>> {
  readonly #parts: RunParts<Input, ExpectedOutput, Metadata, Output>;
  readonly #results: ItemResult<Input, ExpectedOutput, Metadata, Output>[] | undefined;
  #experiment: Experiment | undefined;
  #events: AsyncGenerator<ExperimentEvent<Input, ExpectedOutput, Metadata, Output>, undefined> | undefined;

  /** @internal */
  constructor(parts: RunParts<Input, ExpectedOutput, Metadata, Output>) {
    this.#parts = parts;
    this.#results = parts.collect && parts.resumption.sequence === 0 ? [] : undefined;
  }

  /** The experiment's id; undefined until the server has told it, which its first event does. */
  get experimentId(): string | undefined {
    return this.#parts.resumption.experimentId;
  }

  /** The experiment as its last event told it; undefined before the first. */
  get experiment(): Experiment | undefined {
    return this.#experiment;
  }

  /** The sequence of the last event; `client.watch(id, { afterSequence })` goes on behind it. */
  get lastSequence(): number {
    return this.#parts.resumption.sequence;
  }

  /**
   * Follows the experiment to its end and returns what became of it.
   *
   * @throws {@link EvalrpcError} if the experiment was not accepted, or the stream broke off for too long
   */
  async result(): Promise<ExperimentResult<Input, ExpectedOutput, Metadata, Output>> {
    const events = this[Symbol.asyncIterator]();
    while ((await events.next()).done !== true) {
      // What the events tell is kept as they pass.
    }
    if (this.#experiment !== undefined && this.#results !== undefined) {
      return new ExperimentResult(this.#experiment, this.#results);
    }
    return this.#parts.fetchResult(this.experimentId ?? '');
  }

  /** Closes the stream. The experiment runs on. */
  async close(): Promise<void> {
    await this.#events?.return(undefined);
    this.#events = undefined; // which the iteration does by itself, unless it never began
  }

  /**
   * Returns the iterator over the events that were not seen yet. It throws an {@link EvalrpcError} if the experiment was
   * not accepted, or if the stream broke off for too long; iterate again to go on.
   */
  [Symbol.asyncIterator](): AsyncGenerator<
    ExperimentEvent<Input, ExpectedOutput, Metadata, Output>,
    undefined
  > {
    this.#events ??= this.#follow();
    return this.#events;
  }

  /** Closes the stream, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#follow(): AsyncGenerator<ExperimentEvent<Input, ExpectedOutput, Metadata, Output>, undefined> {
    const { resumption, host, signal } = this.#parts;
    const ending = new AbortController();
    const stop = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
    try {
      if (!resumption.isFinished()) {
        host?.start((error) => {
          ending.abort(error);
        });
      }
      while (!resumption.isFinished()) {
        let failure: EvalrpcError | undefined;
        try {
          yield* this.#stream(stop);
        } catch (thrown) {
          stop.throwIfAborted();
          this.#parts.connection.throwIfClosed();
          failure = errorFromCall(thrown, this.#parts.connection.address);
        }
        if (!resumption.isFinished()) {
          stop.throwIfAborted();
          await sleep(resumption.delay(failure), stop);
        }
      }
    } finally {
      this.#events = undefined;
      await host?.stop();
    }
  }

  /** Yields what one stream brings that is news; closes it, however it is left. */
  async *#stream(
    stop: AbortSignal,
  ): AsyncGenerator<ExperimentEvent<Input, ExpectedOutput, Metadata, Output>, undefined> {
    const closing = new AbortController();
    try {
      const signal = AbortSignal.any([stop, closing.signal]);
      for await (const { event: message } of await this.#parts.openStream(this.#parts.resumption, signal)) {
        const event = message && this.#take(message);
        if (event !== undefined) {
          yield event;
        }
      }
    } finally {
      closing.abort();
    }
  }

  #take(message: EventMessage): ExperimentEvent<Input, ExpectedOutput, Metadata, Output> | undefined {
    if (!this.#parts.resumption.accept(message)) {
      return undefined;
    }
    const event = eventFromMessage<Input, ExpectedOutput, Metadata, Output>(message, this.#parts.parse);
    if (event?.kind === 'experiment') {
      this.#experiment = event.experiment;
    } else if (event?.kind === 'itemResult') {
      this.#results?.push(event.itemResult);
    }
    return event;
  }
}
