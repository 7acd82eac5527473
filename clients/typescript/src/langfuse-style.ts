import type { Client } from './client.js';
import type { ProjectOptions } from './dataset-calls.js';
import type { AnyJson } from './documents.js';
import type { Dataset, DatasetItem } from './model/dataset.js';
import type { ExperimentResult } from './model/result.js';
import { collected } from './pages.js';
import type { ExpectedOutputOf, InputOf, ItemInput, MetadataOf } from './spec/data.js';
import type { RunOptions, RunSettings } from './spec/options.js';

/** Which dataset, as the Langfuse SDK asks for it. */
export interface DatasetOptions extends ProjectOptions {
  /** The dataset as it was at this time. */
  readonly version?: Date | undefined;
}

/** `client.experiment`, as in the Langfuse SDK. */
export class LangfuseStyleExperiments {
  readonly #client: Client;

  /** @internal */
  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Runs an experiment to its end and returns what became of it.
   *
   * @param options - what the experiment is made of; `datasetVersion` is of a dataset given as `data`
   */
  run<Source extends ItemInput = ItemInput, Output = AnyJson>(
    options: RunOptions<Source, Output>,
  ): Promise<ExperimentResult<InputOf<Source>, ExpectedOutputOf<Source>, MetadataOf<Source>, Output>> {
    return this.#client.run(options).result();
  }
}

/** `client.dataset`, as in the Langfuse SDK. */
export class LangfuseStyleDatasets {
  readonly #client: Client;

  /** @internal */
  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Returns a dataset with its items, and a way to run an experiment over it.
   *
   * @param name - its name
   * @param options - its version, and the Langfuse project
   * @throws {@link NotFoundError} if there is no such dataset
   */
  async get<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson>(
    name: string,
    options: DatasetOptions = {},
  ): Promise<LoadedDataset<Input, ExpectedOutput, Metadata>> {
    const dataset = await this.#client.getDataset(name, options);
    const { version } = options;
    const listed = this.#client.listDatasetItems<Input, ExpectedOutput, Metadata>({ name, version }, options);
    const items = await collected(listed);
    return {
      ...dataset,
      items,
      runExperiment: (experiment) =>
        this.#client
          .run({ langfuseProject: options.langfuseProject, ...experiment, data: { name, version } })
          .result(),
    };
  }
}

/** A dataset with its items, as the Langfuse SDK returns it. */
export interface LoadedDataset<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
> extends Dataset {
  /** All items; `client.listDatasetItems()` streams them instead. */
  readonly items: readonly DatasetItem<Input, ExpectedOutput, Metadata>[];
  /**
   * Runs an experiment over the dataset, which the server reads while it runs.
   *
   * @param options - what the experiment is made of
   */
  runExperiment<Output = AnyJson>(
    options: RunSettings<Input, ExpectedOutput, Metadata, Output>,
  ): Promise<ExperimentResult<Input, ExpectedOutput, Metadata, Output>>;
}
