import type { AnyJson } from '../documents.js';
import { report } from '../report/report.js';
import type { Evaluation, Failure } from './evaluation.js';
import type { Experiment, ExperimentState } from './experiment.js';
import type { ItemResult } from './item-result.js';

/** How {@link ExperimentResult.format} writes. */
export interface FormatOptions {
  /** Whether to show each item. Default: not. */
  readonly includeItemResults?: boolean;
}

/** What became of a run. */
export class ExperimentResult<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> {
  /** The experiment at its end. */
  readonly experiment: Experiment;
  /** One for each item and trial, failed ones included: by item in the order of the data, then by trial. */
  readonly itemResults: readonly ItemResult<Input, ExpectedOutput, Metadata, Output>[];

  /**
   * @param experiment - the experiment at its end
   * @param itemResults - its results, in any order
   */
  constructor(
    experiment: Experiment,
    itemResults: readonly ItemResult<Input, ExpectedOutput, Metadata, Output>[],
  ) {
    this.experiment = experiment;
    this.itemResults = itemResults.toSorted((a, b) => a.item.index - b.item.index || a.trial - b.trial);
  }

  /** The experiment's name. */
  get name(): string {
    return this.experiment.name;
  }

  /** This run's name. */
  get runName(): string {
    return this.experiment.runName;
  }

  /** What the run is about. */
  get description(): string | undefined {
    return this.experiment.description;
  }

  /** What the run evaluators said, failures included. */
  get runEvaluations(): readonly Evaluation[] {
    return this.experiment.runEvaluations;
  }

  /** The experiment's id on the server. */
  get experimentId(): string {
    return this.experiment.id;
  }

  /** The run's page in Langfuse; undefined if it is not recorded there. */
  get experimentUrl(): string | undefined {
    return this.experiment.langfuse?.url;
  }

  /** The id of the dataset run in Langfuse; undefined if the data is no dataset of Langfuse's. */
  get datasetRunId(): string | undefined {
    return this.experiment.langfuse?.datasetRunId;
  }

  /** The page of the dataset run in Langfuse. */
  get datasetRunUrl(): string | undefined {
    return this.datasetRunId === undefined ? undefined : this.experimentUrl;
  }

  /** How the run ended. */
  get state(): ExperimentState {
    return this.experiment.state;
  }

  /** Why the run could not go on; only in state FAILED. */
  get error(): Failure | undefined {
    return this.experiment.error;
  }

  /** The results whose task failed. */
  get failedItems(): readonly ItemResult<Input, ExpectedOutput, Metadata, Output>[] {
    return this.itemResults.filter((result) => result.error !== undefined);
  }

  /**
   * Returns the result as text for a terminal, in the layout of the Langfuse SDK's `format()`.
   *
   * Besides what that shows: failures are counted and named, every item stands beside its own input, evaluations come in
   * the order of the spec, and unscored and failed evaluations are told from values.
   *
   * @param options - what to show
   */
  format(options: FormatOptions = {}): string {
    return report(this.experiment, this.itemResults, options.includeItemResults ?? false);
  }
}
