import { randomUUID } from 'node:crypto';
import { Connection, type ConnectionOptions } from './connection.js';
import {
  DatasetCalls,
  type CreateScoresOptions,
  type LinkOptions,
  type ProjectOptions,
  type Score,
} from './dataset-calls.js';
import type { AnyJson, Parse } from './documents.js';
import { EvaluatorCalls, type ListEvaluatorsOptions, type RegisterOptions } from './evaluator-calls.js';
import {
  ExperimentCalls,
  type ListOptions,
  type ListResultsOptions,
  type StartRequest,
} from './experiment-calls.js';
import type { EvaluatorSpecJson } from './gen/evalrpc/v1/evaluator_pb.js';
import { LangfuseStyleDatasets, LangfuseStyleExperiments } from './langfuse-style.js';
import type { Dataset, DatasetItem, DatasetItemLink, ScoreReceipt } from './model/dataset.js';
import type { BuiltinEvaluator, RegisteredEvaluator, Upload } from './model/evaluators.js';
import type { Experiment } from './model/experiment.js';
import type { ItemResult } from './model/item-result.js';
import type { ConnectedWorker } from './model/worker.js';
import { ExperimentResult } from './model/result.js';
import { collected } from './pages.js';
import { Resumption } from './resumption.js';
import { Run, type FunctionHost, type OpenStream } from './run.js';
import { buildSpec } from './spec/build.js';
import {
  itemMessages,
  type ExpectedOutputOf,
  type InputOf,
  type ItemInput,
  type Items,
  type LangfuseDataset,
  type MetadataOf,
} from './spec/data.js';
import { Hosting } from './spec/hosting.js';
import type { RunOptions, StartOptions, WatchOptions } from './spec/options.js';
import { settleData } from './settle-data.js';
import { uploadItems } from './uploads.js';
import { listWorkers, type ListWorkersOptions } from './worker-calls.js';
import { privateWorker } from './worker/private.js';

/** What the server takes where a spec does not say. */
const DEFAULT_MAX_CONCURRENCY = 50;

/** How a client connects and reads documents. */
export interface ClientOptions extends ConnectionOptions {
  /** How documents are parsed. Default: `JSON.parse`; `parseExact` keeps integers beyond ±2^53. */
  readonly parse?: Parse;
}

/** Where a watch begins, and how it goes on. */
export interface WatchFromOptions extends WatchOptions {
  /** The last event already seen. Default: 0, all events follow. */
  readonly afterSequence?: number;
}

/**
 * A connection to an evalrpc server. Nothing is sent on construction: a server that cannot be reached shows with the first
 * call. Every call may throw an {@link EvalrpcError}, whose subclasses tell what went wrong.
 */
export class Client {
  /** The same as `run(...).result()`, under the name that it has in the Langfuse SDK. */
  readonly experiment: LangfuseStyleExperiments;
  /** Datasets under the names that they have in the Langfuse SDK. */
  readonly dataset: LangfuseStyleDatasets;
  readonly #connection: Connection;
  readonly #experiments: ExperimentCalls;
  readonly #evaluators: EvaluatorCalls;
  readonly #datasets: DatasetCalls;
  readonly #parse: Parse;

  /**
   * @param options - how to connect
   * @throws TypeError if the address is none
   */
  constructor(options: ClientOptions = {}) {
    this.#connection = new Connection(options);
    this.#parse = options.parse ?? JSON.parse;
    this.#experiments = new ExperimentCalls(this.#connection, this.#parse);
    this.#evaluators = new EvaluatorCalls(this.#connection);
    this.#datasets = new DatasetCalls(this.#connection, this.#parse);
    this.experiment = new LangfuseStyleExperiments(this);
    this.dataset = new LangfuseStyleDatasets(this);
  }

  /** Where the server is. */
  get address(): string {
    return this.#connection.address;
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
    const host = privateWorker(this.#connection, hosting, maxConcurrency, this.#parse);
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
    return uploadItems(this.#connection, itemMessages(items), options.description ?? '', options.signal);
  }

  /**
   * Registers an evaluator under its name. Content that the latest version has already is that version.
   *
   * @param evaluator - what `builtin()` and its like return
   * @param options - a name, and what it is for
   */
  registerEvaluator(
    evaluator: EvaluatorSpecJson,
    options: RegisterOptions = {},
  ): Promise<RegisteredEvaluator> {
    return this.#evaluators.register(evaluator, options);
  }

  /**
   * Returns a registered evaluator.
   *
   * @param name - "accuracy" for its latest version, "accuracy\@3" for that one
   * @throws {@link NotFoundError} if there is no such evaluator
   */
  getEvaluator(name: string): Promise<RegisteredEvaluator> {
    return this.#evaluators.get(name);
  }

  /**
   * Lists the latest versions of all registered evaluators, or all versions of one.
   *
   * @param options - which
   */
  listEvaluators(options: ListEvaluatorsOptions = {}): AsyncGenerator<RegisteredEvaluator, undefined> {
    return this.#evaluators.list(options);
  }

  /**
   * Deletes a version of an evaluator, or all of them.
   *
   * @param name - "accuracy" for all versions, "accuracy\@3" for that one
   * @throws {@link NotFoundError} if there is no such evaluator
   */
  deleteEvaluator(name: string): Promise<void> {
    return this.#evaluators.delete(name);
  }

  /**
   * Lists the server's own evaluators, each with the JSON Schema of its parameters.
   *
   * @param options - only those that look at one item's result, or only those that look at a run
   */
  listBuiltinEvaluators(options: { readonly level?: 'item' | 'run' } = {}): Promise<BuiltinEvaluator[]> {
    return this.#evaluators.listBuiltin(options.level);
  }

  /**
   * Returns a dataset in Langfuse.
   *
   * @param name - its name
   * @param options - which Langfuse project
   * @throws {@link NotFoundError} if there is no such dataset
   */
  getDataset(name: string, options: ProjectOptions = {}): Promise<Dataset> {
    return this.#datasets.get(name, options);
  }

  /**
   * Streams the items of a dataset in Langfuse, as an experiment would read them.
   *
   * @param dataset - its name, or which of its items
   * @param options - which Langfuse project
   */
  listDatasetItems<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson>(
    dataset: string | LangfuseDataset,
    options: ProjectOptions = {},
  ): AsyncGenerator<DatasetItem<Input, ExpectedOutput, Metadata>, undefined> {
    return this.#datasets.items(typeof dataset === 'string' ? { name: dataset } : dataset, options);
  }

  /**
   * Ties a trace of the caller's own to a dataset item, as part of a run.
   *
   * @param options - the trace, the item and the run
   */
  linkDatasetItem(options: LinkOptions): Promise<DatasetItemLink> {
    return this.#datasets.link(options);
  }

  /**
   * Writes scores to Langfuse. Returns once the server has stored them; it delivers them for as long as that takes.
   *
   * @param scores - from 1 to 1,000 scores
   * @param options - whether to wait for Langfuse
   */
  createScores(scores: readonly Score[], options: CreateScoresOptions = {}): Promise<ScoreReceipt[]> {
    return this.#datasets.createScores(scores, options);
  }

  /**
   * Lists the workers that are connected to the server, by id.
   *
   * @param options - which
   */
  listWorkers(options: ListWorkersOptions = {}): AsyncGenerator<ConnectedWorker, undefined> {
    return listWorkers(this.#connection, options);
  }

  /** Closes the connection and ends all calls. Experiments run on. */
  close(): void {
    this.#connection.close();
  }

  /** Closes the connection, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #request(options: StartOptions): { request: StartRequest; hosting: Hosting } {
    const requestId = options.requestId ?? randomUUID();
    const hosting = new Hosting(requestId);
    return { request: { experiment: buildSpec(options, hosting), requestId }, hosting };
  }

  /** Puts the data into a request, or uploads it and names the upload. */
  async #settle(request: StartRequest, options: StartOptions): Promise<StartRequest> {
    await settleData(request.experiment, options.data, (items) =>
      uploadItems(this.#connection, items, '', options.signal),
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
      connection: this.#connection,
      resumption,
      openStream,
      fetchResult: (id) => this.result(id),
      parse: this.#parse,
      collect: options.collect ?? true,
      host,
      signal: options.signal,
    });
  }
}

function patience({ patienceMs }: WatchOptions): { patienceMs?: number } {
  return patienceMs === undefined ? {} : { patienceMs };
}
