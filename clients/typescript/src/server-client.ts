import { Connection, type ConnectionOptions } from './connection.js';
import {
  DatasetCalls,
  type CreateScoresOptions,
  type LinkOptions,
  type ProjectOptions,
  type Score,
} from './dataset-calls.js';
import type { AnyJson, Parse } from './documents.js';
import type { CalibrateOptions, Calibration, LabelledOutput } from './calibration.js';
import { listDefinitions, type Definition, type ListDefinitionsOptions } from './definition-calls.js';
import { EvaluatorCalls, type ListEvaluatorsOptions, type RegisterOptions } from './evaluator-calls.js';
import type { EvaluatorSpecJson } from './gen/evalrpc/v1/evaluator_pb.js';
import type { Dataset, DatasetItem, DatasetItemLink, ScoreReceipt } from './model/dataset.js';
import type { BuiltinEvaluator, RegisteredEvaluator } from './model/evaluators.js';
import type { ConnectedWorker } from './model/worker.js';
import type { LangfuseDataset } from './spec/data.js';
import { listWorkers, type ListWorkersOptions } from './worker-calls.js';

/** How a client connects and reads documents. */
export interface ClientOptions extends ConnectionOptions {
  /** How documents are parsed. Default: `JSON.parse`; `parseExact` keeps integers beyond ±2^53. */
  readonly parse?: Parse;
}

/** The part of a `Client` that is not about experiments: evaluators, datasets, workers, and the connection itself. */
export abstract class ServerClient {
  /** The connection that all calls share. */
  protected readonly connection: Connection;
  /** How documents are parsed. */
  protected readonly parse: Parse;
  readonly #evaluators: EvaluatorCalls;
  readonly #datasets: DatasetCalls;

  /**
   * @param options - how to connect
   * @throws TypeError if the address is none
   */
  protected constructor(options: ClientOptions) {
    this.connection = new Connection(options);
    this.parse = options.parse ?? JSON.parse;
    this.#evaluators = new EvaluatorCalls(this.connection);
    this.#datasets = new DatasetCalls(this.connection, this.parse);
  }

  /** Where the server is. */
  get address(): string {
    return this.connection.address;
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
   * Measures how far a judge agrees with people.
   *
   * @param judge - what `judge()` returns
   * @param outputs - outputs with people's verdicts, from 2 to 1,000
   * @param options - from which number on a verdict counts as positive
   * @throws {@link InvalidRequestError} if the judge or an output is wrong
   */
  calibrateJudge(
    judge: EvaluatorSpecJson,
    outputs: readonly LabelledOutput[],
    options: CalibrateOptions = {},
  ): Promise<Calibration> {
    return this.#evaluators.calibrate(judge, outputs, options, this.parse);
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
    return listWorkers(this.connection, options);
  }

  /**
   * Lists the experiments that are kept on the server for webhooks, by name.
   *
   * @param options - how many at once
   */
  listDefinitions(options: ListDefinitionsOptions = {}): AsyncGenerator<Definition, undefined> {
    return listDefinitions(this.connection, options);
  }

  /** Closes the connection and ends all calls. Experiments run on. */
  close(): void {
    this.connection.close();
  }

  /** Closes the connection, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
