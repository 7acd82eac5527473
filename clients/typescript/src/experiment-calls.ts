import type { CallOptions, Client as ServiceClient } from '@connectrpc/connect';
import type { Connection } from './connection.js';
import { experimentFromMessage } from './convert/experiments.js';
import { itemResultFromMessage } from './convert/item-results.js';
import { stateNumber } from './convert/states.js';
import type { Parse } from './documents.js';
import { ExperimentService, ItemResultOrder } from './gen/evalrpc/v1/experiment_service_pb.js';
import type { ExperimentSpec } from './gen/evalrpc/v1/experiment_spec_pb.js';
import { JsonEncoding } from './gen/evalrpc/v1/json_pb.js';
import type { Experiment, ExperimentState } from './model/experiment.js';
import type { ItemResult } from './model/item-result.js';
import { pages } from './pages.js';
import type { Resumption } from './resumption.js';
import type { OpenStream } from './run.js';
import type { EvaluateOptions, RetryOptions } from './spec/options.js';
import { evaluateRequest, retryRequest } from './spec/second-looks.js';

/** Which experiments to list. */
export interface ListOptions {
  /** Only experiments of this name. */
  readonly name?: string;
  /** Only experiments in one of these states. */
  readonly states?: readonly ExperimentState[];
  /** How many to ask for at once. */
  readonly pageSize?: number;
}

/** Which results to list, and in which order. */
export interface ListResultsOptions {
  /** By item in the order of the data, or as they were completed. Default: by item. */
  readonly order?: 'item' | 'completion';
  /** Only results whose task failed. */
  readonly failedOnly?: boolean;
  /** How many to ask for at once. */
  readonly pageSize?: number;
}

const ORDERS = { item: ItemResultOrder.ITEM, completion: ItemResultOrder.COMPLETION } as const;
const jsonEncoding = JsonEncoding.TEXT;
/** Streams have no time limit: an experiment takes as long as it takes. */
const UNLIMITED: CallOptions = { timeoutMs: 0 };

/** What starts an experiment. */
export interface StartRequest {
  readonly experiment: ExperimentSpec;
  readonly requestId: string;
}

/** Calls of `ExperimentService`. */
export class ExperimentCalls {
  readonly #connection: Connection;
  readonly #service: ServiceClient<typeof ExperimentService>;
  readonly #parse: Parse;

  constructor(connection: Connection, parse: Parse) {
    this.#connection = connection;
    this.#service = connection.service(ExperimentService);
    this.#parse = parse;
  }

  async start(request: StartRequest, signal: AbortSignal | undefined): Promise<Experiment> {
    // Safe to repeat, as the request has an id.
    const answer = await this.#connection.call((call) => this.#service.startExperiment(request, call), {
      signal,
    });
    return this.#read(answer);
  }

  /** Returns what opens the stream of a run that is still to be started; after a cut it becomes a watch. */
  running(prepare: () => Promise<StartRequest>, cancelOnDisconnect: boolean): OpenStream {
    let prepared: Promise<StartRequest> | undefined;
    return async (resumption, signal) => {
      if (resumption.experimentId !== undefined) {
        return this.watch(resumption, signal);
      }
      prepared ??= prepare();
      const request = { ...(await prepared), jsonEncoding, cancelOnDisconnect };
      return this.#service.runExperiment(request, { ...UNLIMITED, signal });
    };
  }

  /** Opens the stream of a watch, behind the last event that was seen. */
  // eslint-disable-next-line @typescript-eslint/require-await -- it is one of two ways to open a stream
  readonly watch: OpenStream = async (resumption: Resumption, signal: AbortSignal) => {
    const id = resumption.experimentId ?? '';
    const request = { id, afterSequence: resumption.sequence, jsonEncoding };
    return this.#service.watchExperiment(request, { ...UNLIMITED, signal });
  };

  async get(id: string): Promise<Experiment> {
    return this.#read(await this.#connection.call((call) => this.#service.getExperiment({ id }, call)));
  }

  async cancel(id: string): Promise<Experiment> {
    return this.#read(await this.#connection.call((call) => this.#service.cancelExperiment({ id }, call)));
  }

  async evaluate(id: string, options: EvaluateOptions): Promise<Experiment> {
    const request = evaluateRequest(id, options);
    return this.#read(
      await this.#connection.call((call) => this.#service.evaluateExperiment(request, call), {
        signal: options.signal,
      }),
    );
  }

  async retry(id: string, options: RetryOptions): Promise<Experiment> {
    const request = retryRequest(id, options);
    return this.#read(
      await this.#connection.call((call) => this.#service.retryExperiment(request, call), {
        signal: options.signal,
      }),
    );
  }

  async *list(options: ListOptions): AsyncGenerator<Experiment, undefined> {
    const request = {
      name: options.name ?? '',
      states: (options.states ?? []).map(stateNumber),
      pageSize: options.pageSize ?? 0,
    };
    const fetched = pages((pageToken) =>
      this.#connection.call((call) => this.#service.listExperiments({ ...request, pageToken }, call)),
    );
    for await (const page of fetched) {
      yield* page.experiments.map((each) => experimentFromMessage(each, this.#parse));
    }
  }

  async *listResults<I, E, M, O>(
    id: string,
    options: ListResultsOptions,
  ): AsyncGenerator<ItemResult<I, E, M, O>, undefined> {
    const request = {
      id,
      order: ORDERS[options.order ?? 'item'],
      pageSize: options.pageSize ?? 0,
      failedOnly: options.failedOnly ?? false,
      jsonEncoding,
    };
    const fetched = pages((pageToken) =>
      this.#connection.call((call) => this.#service.listItemResults({ ...request, pageToken }, call)),
    );
    for await (const page of fetched) {
      yield* page.itemResults.map((each) => itemResultFromMessage<I, E, M, O>(each, this.#parse));
    }
  }

  #read(answer: { readonly experiment?: Parameters<typeof experimentFromMessage>[0] }): Experiment {
    return experimentFromMessage(answer.experiment, this.#parse);
  }
}
