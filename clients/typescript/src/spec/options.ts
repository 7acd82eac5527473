import type { AnyJson } from '../documents.js';
import type { EvaluatorSpecJson } from '../gen/evalrpc/v1/evaluator_pb.js';
import type { ExperimentSpecJson, TraceOptionsJson } from '../gen/evalrpc/v1/experiment_spec_pb.js';
import type { BudgetJson, GateJson, TrialReducerJson } from '../gen/evalrpc/v1/gate_pb.js';
import type { TaskJson } from '../gen/evalrpc/v1/task_pb.js';
import type { DataReference, ExpectedOutputOf, InputOf, ItemInput, MetadataOf } from './data.js';
import type { CompositeEvaluator, Evaluator, ExperimentTask, RunEvaluator } from './functions.js';

/** How failed attempts of a task are repeated: exponential back-off with full jitter. */
export interface RetryPolicy {
  /** How often a trial's task may be called, the first time included. Default: 3. */
  readonly maxAttempts?: number;
  /** The longest wait before the second attempt, in milliseconds. Default: 500. */
  readonly initialBackoffMs?: number;
  /** The longest wait before any attempt, in milliseconds. Default: 30,000. */
  readonly maxBackoffMs?: number;
  /** How the longest wait grows from attempt to attempt. Default: 2. */
  readonly multiplier?: number;
}

/** What an experiment is made of, apart from its data. Each member overrides what a `spec` given beside it says. */
export interface ExperimentSettings<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> {
  /** A whole spec, in the JSON form of the contract. */
  readonly spec?: ExperimentSpecJson;
  /** Names the experiment; its runs over time share the name. */
  readonly name?: string;
  /** Names this run. Default: the name, a dash, and the UTC time. */
  readonly runName?: string | undefined;
  /** What the run is about. */
  readonly description?: string | undefined;
  /** Facts about the run, such as the model under test. */
  readonly metadata?: Readonly<Record<string, AnyJson>> | undefined;
  /** The application under test: a function, the URL of an HTTP endpoint, or any task of the contract in its JSON form. */
  readonly task?: ExperimentTask<Input, ExpectedOutput, Metadata, Output> | string | TaskJson;
  /** Whether a task function may see the expected output. Default: it may, as in the Langfuse SDK. */
  readonly includeExpectedOutput?: boolean;
  /** What looks at each item's result: functions, and what `builtin()` and its like return. */
  readonly evaluators?: readonly (Evaluator<Input, ExpectedOutput, Metadata, Output> | EvaluatorSpecJson)[];
  /** What sees an item's evaluations and adds its own. */
  readonly compositeEvaluator?:
    CompositeEvaluator<Input, ExpectedOutput, Metadata, Output> | EvaluatorSpecJson | undefined;
  /** What looks at all results once they are there. */
  readonly runEvaluators?: readonly (
    RunEvaluator<Input, ExpectedOutput, Metadata, Output> | EvaluatorSpecJson
  )[];
  /** How many task calls may be in flight at once. Default: 50. */
  readonly maxConcurrency?: number | undefined;
  /** How long one attempt of the task may take, in milliseconds. Default: 120,000. */
  readonly taskTimeoutMs?: number | undefined;
  /** How long one attempt of an evaluator may take, in milliseconds. Default: 60,000. */
  readonly evaluatorTimeoutMs?: number | undefined;
  /** How failed attempts are repeated; a number is that of the attempts. */
  readonly retry?: number | RetryPolicy | undefined;
  /** How many trials each item gets. Default: 1. */
  readonly repetitions?: number | undefined;
  /** Run only the first so many items. */
  readonly dryRunItems?: number | undefined;
  /** The Langfuse project to record in, by its name on the server. */
  readonly langfuseProject?: string | undefined;
  /** Whether the end waits until Langfuse has everything. Default: "background", it does not. */
  readonly langfuseSync?: 'background' | 'wait' | 'off' | undefined;
  /** How long it waits, in milliseconds. Default: 60,000. */
  readonly langfuseSyncTimeoutMs?: number | undefined;
  /** How traces are labelled in Langfuse. */
  readonly trace?: TraceOptionsJson | undefined;
  /** How long functions may be without a worker, in milliseconds. Default: 60,000. */
  readonly workerWaitMs?: number | undefined;
  /** How the trials of an item become one value per evaluation. */
  readonly trialReducers?: readonly TrialReducerJson[] | undefined;
  /** What must hold for the run to pass. */
  readonly gates?: readonly GateJson[] | undefined;
  /** What the run may spend. */
  readonly budget?: BudgetJson | undefined;
  /** The path within item metadata that tells which items belong together. */
  readonly clusterBy?: string | undefined;
}

/** What `client.start()` takes besides the data. */
export interface StartSettings<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
> extends ExperimentSettings<Input, ExpectedOutput, Metadata, Output> {
  /** Makes a repeat of the call join the experiment. Default: a new one. */
  readonly requestId?: string | undefined;
  /** Ends the call early. The experiment, once accepted, runs on. */
  readonly signal?: AbortSignal | undefined;
}

/** How a stream of events is followed. */
export interface WatchOptions {
  /** For how long without a message to try to resume, in milliseconds; 0 for not at all. Default: 300,000. */
  readonly patienceMs?: number | undefined;
  /** Whether to keep results for `result()`, which otherwise reads them from the server again. Default: to keep them. */
  readonly collect?: boolean | undefined;
  /** Ends the stream early. The experiment runs on. */
  readonly signal?: AbortSignal | undefined;
}

/** What `client.run()` takes besides the data. */
export interface RunSettings<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson>
  extends StartSettings<Input, ExpectedOutput, Metadata, Output>, WatchOptions {
  /** Whether the end of the stream, a cut included, cancels the experiment. Default: it runs on. */
  readonly cancelOnDisconnect?: boolean;
}

/** Items of some type, or a reference to data that the server has or finds. */
export interface DataOption<Source extends ItemInput> {
  /** The items. Above 2 MiB in all they are uploaded first. An iterator is read once. */
  readonly data?: Iterable<Source> | AsyncIterable<Source> | DataReference | undefined;
}

/** What `client.start()` takes. The types of its functions' parameters follow from the items. */
export type StartOptions<Source extends ItemInput = ItemInput, Output = AnyJson> = DataOption<Source> &
  StartSettings<InputOf<Source>, ExpectedOutputOf<Source>, MetadataOf<Source>, Output>;

/** What `client.run()` takes. The types of its functions' parameters follow from the items. */
export type RunOptions<Source extends ItemInput = ItemInput, Output = AnyJson> = DataOption<Source> &
  RunSettings<InputOf<Source>, ExpectedOutputOf<Source>, MetadataOf<Source>, Output>;

/** How stored outputs are evaluated anew. Evaluators that are functions need a worker. */
export interface EvaluateOptions {
  /** What looks at each item's result. At least one of these and of the run evaluators is required. */
  readonly evaluators?: readonly EvaluatorSpecJson[];
  /** What sees an item's new evaluations and adds its own. */
  readonly compositeEvaluator?: EvaluatorSpecJson | undefined;
  /** What looks at all results with their new evaluations. */
  readonly runEvaluators?: readonly EvaluatorSpecJson[];
  /** Names the new run. Default: the old run's name, followed by " - evaluated" and the time. */
  readonly runName?: string | undefined;
  /** Makes a repeat of the call join the experiment. Default: a new one. */
  readonly requestId?: string | undefined;
  /** Ends the call early. */
  readonly signal?: AbortSignal | undefined;
}

/** What is repeated of an experiment. */
export interface RetryOptions {
  /** Failed tasks with their evaluations, failed evaluations, or both. Default: both. */
  readonly scope?: 'all' | 'tasks' | 'evaluations' | undefined;
  /** Names the new run. Default: the old run's name, followed by " - retried" and the time. */
  readonly runName?: string | undefined;
  /** Makes a repeat of the call join the experiment. Default: a new one. */
  readonly requestId?: string | undefined;
  /** Ends the call early. */
  readonly signal?: AbortSignal | undefined;
}
