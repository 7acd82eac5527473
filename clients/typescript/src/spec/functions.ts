import type { AnyJson, RawJson } from '../documents.js';
import type { Evaluation, EvaluationValue, Usage } from '../model/evaluation.js';
import type { Context, ItemResult } from '../model/item-result.js';

/** A value, or a promise of one. */
export type Awaitable<Value> = Value | PromiseLike<Value>;

/** Which experiment asks. */
export interface ExperimentInfo {
  /** The experiment's id. */
  readonly id: string;
  /** The experiment's name. */
  readonly name: string;
  /** The run's name. */
  readonly runName: string;
}

/** What a task function gets: an item. */
export interface TaskItem<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson> {
  /** The item's id. */
  readonly id: string;
  /** The item's input. */
  readonly input: Input;
  /** The input as JSON text, exact to the last digit. */
  readonly inputJson: string | undefined;
  /** What a right output looks like; undefined if there is none, or the experiment unsets `includeExpectedOutput`. */
  readonly expectedOutput: ExpectedOutput | undefined;
  /** Facts about the item; undefined if there are none. */
  readonly metadata: Metadata | undefined;
}

/** What a function learns about its call. */
export interface CallContext {
  /** Aborted when the call is cancelled, has timed out, or was taken from this worker. */
  readonly signal: AbortSignal;
  /** Which trial of the item this is, from 1; 1 for a run evaluator. */
  readonly trial: number;
  /** Which attempt of the call this is, from 1. */
  readonly attempt: number;
  /** The experiment that asks. */
  readonly experiment: ExperimentInfo;
  /** The W3C trace context of the item: `traceparent`, and `tracestate` and `baggage` where there are any. */
  readonly traceContext: Readonly<Record<string, string>>;
}

/** A task's output with what else it tells; made by {@link taskOutput}. */
export class TaskOutput<Output = AnyJson> {
  /**
   * @param output - the output
   * @param details - what else the task tells
   */
  constructor(
    readonly output: Output,
    readonly details: TaskDetails = {},
  ) {}
}

/** What a task may tell besides its output. */
export interface TaskDetails {
  /** The passages that the output rests on, in the order of retrieval. */
  readonly contexts?: readonly (Context | string)[];
  /** What the task's models took. */
  readonly usage?: Usage;
  /** Facts about the output. */
  readonly metadata?: Readonly<Record<string, AnyJson>>;
}

/**
 * Returns a task's output together with the passages, the usage or the metadata behind it.
 *
 * @param output - the output
 * @param details - what else the task tells
 */
export function taskOutput<Output>(output: Output, details: TaskDetails): TaskOutput<Output> {
  return new TaskOutput(output, details);
}

/** The application under test, as a function: turns an item into an output. What it throws fails the item. */
export type ExperimentTask<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> = (
  item: TaskItem<Input, ExpectedOutput, Metadata>,
  context: CallContext,
) => Awaitable<Output | TaskOutput<Output> | RawJson>;

/** A verdict as an evaluator function gives it. */
export interface EvaluationAnswer {
  /** What was judged. Default: the evaluator's name. */
  readonly name?: string;
  /** The verdict; null if there is none. */
  readonly value: EvaluationValue | null | undefined;
  /** Why there is no value. */
  readonly unscored?: string | undefined;
  /** An explanation. */
  readonly comment?: string | null | undefined;
  /** Further facts. */
  readonly metadata?: Readonly<Record<string, AnyJson>> | null | undefined;
  /** `BOOLEAN` turns the numbers 1 and 0 into true and false, as Langfuse means them. */
  readonly dataType?: 'NUMERIC' | 'BOOLEAN' | 'CATEGORICAL' | 'TEXT' | null | undefined;
  /** The Langfuse score config that the value obeys. */
  readonly configId?: string | null | undefined;
}

/** What an evaluator function may answer: a verdict, a bare value, or several verdicts. */
export type EvaluatorAnswer =
  | EvaluationAnswer
  | Evaluation
  | EvaluationValue
  | null
  | undefined
  | readonly (EvaluationAnswer | Evaluation)[];

/** What an evaluator function gets: one item's result. */
export interface EvaluatorParams<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> {
  /** The item's input. */
  readonly input: Input;
  /** The task's output. */
  readonly output: Output;
  /** What a right output looks like; undefined if there is none. */
  readonly expectedOutput: ExpectedOutput | undefined;
  /** The item's metadata; undefined if there is none. */
  readonly metadata: Metadata | undefined;
  /** The passages that the output rests on. */
  readonly contexts: readonly Context[];
  /** The item's id. */
  readonly itemId: string;
  /** How long the task took, in milliseconds. */
  readonly taskDurationMs: number | undefined;
  /** What the task's models took. */
  readonly usage: Usage | undefined;
  /** The input as JSON text. */
  readonly inputJson: string | undefined;
  /** The output as JSON text. */
  readonly outputJson: string | undefined;
  /** The expected output as JSON text. */
  readonly expectedOutputJson: string | undefined;
}

/** Judges one item's result. What it throws makes an evaluation with an error, and spoils nothing else. */
export type Evaluator<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson> = (
  params: EvaluatorParams<Input, ExpectedOutput, Metadata, Output>,
  context: CallContext,
) => Awaitable<EvaluatorAnswer>;

/** Sees an item's evaluations and adds its own to them. */
export type CompositeEvaluator<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> = (
  params: EvaluatorParams<Input, ExpectedOutput, Metadata, Output> & {
    /** The item's evaluations so far, failed ones included. */
    readonly evaluations: readonly Evaluation[];
  },
  context: CallContext,
) => Awaitable<EvaluatorAnswer>;

/** What a run evaluator gets. */
export interface RunEvaluatorParams<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> {
  /** All results, failed ones included, in the order of the items. */
  readonly itemResults: readonly ItemResult<Input, ExpectedOutput, Metadata, Output>[];
}

/** Judges a whole run. What it throws makes an evaluation with an error. */
export type RunEvaluator<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson> = (
  params: RunEvaluatorParams<Input, ExpectedOutput, Metadata, Output>,
  context: CallContext,
) => Awaitable<EvaluatorAnswer>;
