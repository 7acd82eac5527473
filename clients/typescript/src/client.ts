import { randomUUID } from 'node:crypto';
import { compareRuns, planExperiment } from './comparison-calls.js';
import type { AnyJson } from './documents.js';
import {
  ExperimentCalls,
  type ListOptions,
  type ListResultsOptions,
  type StartRequest,
} from './experiment-calls.js';
import { LangfuseStyleDatasets, LangfuseStyleExperiments } from './langfuse-style.js';
import type { CompareOptions, Comparison, PlanOptions, Plans, RunReference } from './model/comparison.js';
import type { Upload } from './model/evaluators.js';
import type { Experiment } from './model/experiment.js';
import type { ItemResult } from './model/item-result.js';
import { ExperimentResult } from './model/result.js';
import { collected } from './pages.js';
import { Resumption } from './resumption.js';
import { Run, type FunctionHost, type OpenStream } from './run.js';
import { ServerClient, type ClientOptions } from './server-client.js';
import { buildSpec } from './spec/build.js';
import {
  itemMessages,
  type ExpectedOutputOf,
  type InputOf,
  type ItemInput,
  type Items,
  type MetadataOf,
} from './spec/data.js';
import { Hosting } from './spec/hosting.js';
import type {
  EvaluateOptions,
  RetryOptions,
  RunOptions,
  StartOptions,
  WatchOptions,
} from './spec/options.js';
import { settleData } from './settle-data.js';
import { uploadItems } from './uploads.js';
import { privateWorker } from './worker/private.js';

/** What the server takes where a spec does not say. */
const DEFAULT_MAX_CONCURRENCY = 50;

/** Where a watch begins, and how it goes on. */
export interface WatchFromOptions extends WatchOptions {
  /** The last event already seen. Default: 0, all events follow. */
  readonly afterSequence?: number;
}

/**
 * A connection to an evalrpc server. Nothing is sent on construction: a server that cannot be reached shows with the first
 * call. Every call may throw an {@link EvalrpcError}, whose subclasses tell what went wrong.
 */
export class Client extends ServerClient {
  /** The same as `run(...).result()`, under the name that it has in the Langfuse SDK. */
  readonly experiment: LangfuseStyleExperiments;
  /** Datasets under the names that they have in the Langfuse SDK. */
  readonly dataset: LangfuseStyleDatasets;
  readonly #experiments: ExperimentCalls;

  /**
   * @param options - how to connect
   * @throws TypeError if the address is none
   */
  constructor(options: ClientOptions = {}) {
    super(options);
    this.#experiments = new ExperimentCalls(this.connection, this.parse);
    this.experiment = new LangfuseStyleExperiments(this);
    this.dataset = new LangfuseStyleDatasets(this);
  }

  /**
   * Returns a run: iterate over it to start an experiment and to see its events, ask `result()` for its end. The stream
   * resumes by itself after a cut. Functions among the options are hosted in this process while the run is followed.
   *
   * @param options - what the experiment is made of
   * @throws {@link InvalidRequestError} if something does not have the contract's form
   */
  run<Source extends ItemInput = ItemInput, Output = AnyJson>(
    options: RunOptions<Source, Output>,
  ): Run<InputOf<Source>, ExpectedOutputOf<Source>, MetadataOf<Source>, Output> {
    const { request, hosting } = this.#request(options as RunOptions);
    const prepare = (): Promise<StartRequest> => this.#settle(request, options as RunOptions);
    const openStream = this.#experiments.running(prepare, options.cancelOnDisconnect ?? false);
    const maxConcurrency = request.experiment.maxConcurrency ?? DEFAULT_MAX_CONCURRENCY;
    const host = privateWorker(this.connection, hosting, maxConcurrency, this.parse);
    return this.#follow(new Resumption(patience(options)), openStream, options, host);
  }

  /**
   * Starts an experiment and returns once it is stored.
   *
   * @param options - what the experiment is made of; functions need `run()` or a `Worker`
   * @throws {@link EvalrpcError} if the experiment was not accepted
   */
  async start<Source extends ItemInput = ItemInput, Output = AnyJson>(
    options: StartOptions<Source, Output>,
  ): Promise<Experiment> {
    const { request, hosting } = this.#request(options as StartOptions);
    if (hosting.functions.size > 0) {
      throw new TypeError(
        'start() returns at once, and nobody would host the functions: use run(), or a Worker and its functions by name',
      );
    }
    return this.#experiments.start(await this.#settle(request, options as StartOptions), options.signal);
  }

  /**
   * Returns a run to follow an experiment by, to its end.
   *
   * @param experimentId - the experiment
   * @param options - where to begin
   */
  watch<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson>(
    experimentId: string,
    options: WatchFromOptions = {},
  ): Run<Input, ExpectedOutput, Metadata, Output> {
    const { afterSequence = 0 } = options;
    const resumption = new Resumption({ experimentId, afterSequence, ...patience(options) });
    return this.#follow(resumption, this.#experiments.watch, options);
  }

  /**
   * Returns what became of an experiment, as far as it is.
   *
   * @param experimentId - the experiment
   * @throws {@link NotFoundError} if there is no such experiment
   */
  async result<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson>(
    experimentId: string,
  ): Promise<ExperimentResult<Input, ExpectedOutput, Metadata, Output>> {
    const experiment = await this.get(experimentId);
    const listed = this.listResults<Input, ExpectedOutput, Metadata, Output>(experimentId, {
      pageSize: 1000,
    });
    return new ExperimentResult(experiment, await collected(listed));
  }

  /**
   * Returns an experiment as it is now.
   *
   * @param experimentId - the experiment
   * @throws {@link NotFoundError} if there is no such experiment
   */
  get(experimentId: string): Promise<Experiment> {
    return this.#experiments.get(experimentId);
  }

  /**
   * Starts an experiment that asks evaluators about the stored outputs of one that has ended. No task is called.
   *
   * @param experimentId - the experiment to look at
   * @param options - what looks at its results
   * @throws {@link EvalrpcError} if the experiment was not accepted
   */
  evaluate(experimentId: string, options: EvaluateOptions): Promise<Experiment> {
    return this.#experiments.evaluate(experimentId, options);
  }

  /**
   * Starts an experiment that repeats what failed in one that has ended, and keeps the rest.
   *
   * @param experimentId - the experiment to repeat from
   * @param options - what to repeat
   * @throws {@link EvalrpcError} if the experiment was not accepted
   */
  retry(experimentId: string, options: RetryOptions = {}): Promise<Experiment> {
    return this.#experiments.retry(experimentId, options);
  }

  /**
   * Sets runs beside a baseline, item by item, with paired statistics; one comparison for each candidate.
   *
   * @param baseline - an experiment, its id, or a run that Langfuse has
   * @param candidates - from one to nine others
   * @param options - how to compare
   * @throws {@link NotFoundError} if there is no such run
   */
  compare(
    baseline: RunReference,
    candidates: readonly RunReference[],
    options: CompareOptions = {},
  ): Promise<readonly Comparison[]> {
    return compareRuns(this.connection, [baseline, ...candidates], options, this.parse);
  }

  /**
   * Computes how many items and trials it takes to see a difference between two runs over the same items.
   *
   * @param difference - of the means, above 0
   * @param options - what scatters, and how sure to be
   */
  plan(difference: number, options: PlanOptions): Promise<Plans> {
    return planExperiment(this.connection, difference, options);
  }

  /**
   * Lists experiments, the latest first, page by page.
   *
   * @param options - which
   */
  list(options: ListOptions = {}): AsyncGenerator<Experiment, undefined> {
    return this.#experiments.list(options);
  }

  /**
   * Asks an experiment to end; items in flight are cut off. Without effect on one that has ended.
   *
   * @param experimentId - the experiment
   * @throws {@link NotFoundError} if there is no such experiment
   */
  cancel(experimentId: string): Promise<Experiment> {
    return this.#experiments.cancel(experimentId);
  }

  /**
   * Lists the results that an experiment has so far, page by page.
   *
   * @param experimentId - the experiment
   * @param options - which, and in which order
   */
  listResults<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson>(
    experimentId: string,
    options: ListResultsOptions = {},
  ): AsyncGenerator<ItemResult<Input, ExpectedOutput, Metadata, Output>, undefined> {
    return this.#experiments.listResults(experimentId, options);
  }

  /**
   * Stores items on the server, of any number, for any number of experiments. They are read only as fast as the server
   * stores them.
   *
   * @param items - the items, from an iterable or an async iterable
   * @param options - what the items are
   * @throws {@link InvalidRequestError} if an item is wrong; nothing is stored then
   */
  upload(
    items: Items,
    options: { readonly description?: string; readonly signal?: AbortSignal } = {},
  ): Promise<Upload> {
    return uploadItems(this.connection, itemMessages(items), options.description ?? '', options.signal);
  }

  #request(options: StartOptions): { request: StartRequest; hosting: Hosting } {
    const requestId = options.requestId ?? randomUUID();
    const hosting = new Hosting(requestId);
    return { request: { experiment: buildSpec(options, hosting), requestId }, hosting };
  }

  /** Puts the data into a request, or uploads it and names the upload. */
  async #settle(request: StartRequest, options: StartOptions): Promise<StartRequest> {
    await settleData(request.experiment, options.data, (items) =>
      uploadItems(this.connection, items, '', options.signal),
    );
    return request;
  }

  #follow<I, E, M, O>(
    resumption: Resumption,
    openStream: OpenStream,
    options: WatchOptions,
    host?: FunctionHost,
  ): Run<I, E, M, O> {
    return new Run<I, E, M, O>({
      connection: this.connection,
      resumption,
      openStream,
      fetchResult: (id) => this.result(id),
      parse: this.parse,
      collect: options.collect ?? true,
      host,
      signal: options.signal,
    });
  }
}

function patience({ patienceMs }: WatchOptions): { patienceMs?: number } {
  return patienceMs === undefined ? {} : { patienceMs };
}
