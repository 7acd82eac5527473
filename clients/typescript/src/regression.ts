import type { Client } from './client.js';
import type { AnyJson } from './documents.js';
import type { ExperimentResult } from './model/result.js';
import type { ExpectedOutputOf, InputOf, ItemInput, MetadataOf } from './spec/data.js';
import type { DataOption, RunOptions } from './spec/options.js';

/** Why a result is not good enough. */
export interface RegressionOptions {
  /** The result. */
  readonly result: ExperimentResult;
  /** What is too low or too high. */
  readonly metric?: string | undefined;
  /** What it is. */
  readonly value?: number | undefined;
  /** What it should have been. */
  readonly threshold?: number | undefined;
  /** The whole sentence. Default: made of the others. */
  readonly message?: string | undefined;
}

/** A result that is not good enough. */
export class RegressionError extends Error {
  /** The class, for logs. */
  override readonly name = 'RegressionError';
  /** The result. */
  readonly result: ExperimentResult;
  /** What is too low or too high. */
  readonly metric: string | undefined;
  /** What it is. */
  readonly value: number | undefined;
  /** What it should have been. */
  readonly threshold: number | undefined;

  /**
   * @param options - why
   */
  constructor({ result, metric, value, threshold, message }: RegressionOptions) {
    const bound = threshold === undefined ? '' : `, and the threshold is ${threshold}`;
    const known = metric !== undefined && value !== undefined;
    super(message ?? (known ? `${metric} is ${value}${bound}` : 'the experiment got worse'));
    this.result = result;
    this.metric = metric;
    this.value = value;
    this.threshold = threshold;
  }
}

/** The defaults of a {@link RunnerContext}. */
export interface RunnerContextOptions<Source extends ItemInput = ItemInput> extends DataOption<Source> {
  /** Runs the experiments. */
  readonly client: Client;
  /** What they all have; their own members win. */
  readonly metadata?: Readonly<Record<string, AnyJson>> | undefined;
}

/** A client with defaults for the experiments of a job, as `langfuse/experiment-action` hands one to scripts. */
export class RunnerContext<Default extends ItemInput = ItemInput> {
  readonly #defaults: RunnerContextOptions<Default>;

  /**
   * @param defaults - the client, and what experiments have where they do not say
   */
  constructor(defaults: RunnerContextOptions<Default>) {
    this.#defaults = defaults;
  }

  /**
   * Runs an experiment to its end, as `client.experiment.run()` does, with the defaults.
   *
   * @param options - what the experiment is made of
   * @throws TypeError if there is no data, here or in the defaults
   */
  async runExperiment<Source extends ItemInput = Default, Output = AnyJson>(
    options: RunOptions<Source, Output>,
  ): Promise<ExperimentResult<InputOf<Source>, ExpectedOutputOf<Source>, MetadataOf<Source>, Output>> {
    const { client, data, metadata } = this.#defaults;
    const chosen = options.data ?? (data as DataOption<Source>['data']);
    if (chosen === undefined) {
      throw new TypeError('give data to runExperiment(), or to the RunnerContext');
    }
    const merged = { ...metadata, ...options.metadata };
    return await client.run({ ...options, data: chosen, metadata: merged }).result();
  }
}
