import type { AnyJson } from '../documents.js';
import type { Evaluation } from './evaluation.js';
import type { Experiment, Progress } from './experiment.js';
import type { ItemResult } from './item-result.js';

/** What all events tell. */
export interface EventBase {
  /** The event's number, from 1 and without gaps. */
  readonly sequence: number;
  /** When it happened. */
  readonly time: Date | undefined;
  /** How far the experiment was then. */
  readonly progress: Progress;
}

/** The experiment's state changed, or something else that it shows. The first and the last event are of this kind. */
export interface ExperimentChanged extends EventBase {
  readonly kind: 'experiment';
  /** The experiment as it was then. */
  readonly experiment: Experiment;
}

/** A trial has its result. Results come in the order of completion. */
export interface ItemCompleted<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> extends EventBase {
  readonly kind: 'itemResult';
  /** The result. */
  readonly itemResult: ItemResult<Input, ExpectedOutput, Metadata, Output>;
}

/** The run evaluators have spoken. */
export interface RunEvaluated extends EventBase {
  readonly kind: 'runEvaluations';
  /** What they said. */
  readonly runEvaluations: readonly Evaluation[];
}

/** One thing that happened to an experiment; the server stored it before it sent it. `kind` tells which. */
export type ExperimentEvent<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson> =
  ExperimentChanged | ItemCompleted<Input, ExpectedOutput, Metadata, Output> | RunEvaluated;
