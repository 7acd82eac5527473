import type { AnyJson } from '../documents.js';
import type { ExperimentSpecJson } from '../gen/evalrpc/v1/experiment_spec_pb.js';
import type { Verdict } from './comparison.js';
import type { Evaluation, Failure } from './evaluation.js';

/**
 * Where an experiment is in its life. SUCCEEDED means that every item has a result, though items may have failed; FAILED
 * that the run itself could not go on.
 */
export type ExperimentState =
  'UNSPECIFIED' | 'PENDING' | 'RUNNING' | 'CANCELLING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

/** Counts trials. */
export interface Progress {
  /** Trials to run; undefined until the data was read to its end. */
  readonly total: number | undefined;
  /** Trials with a result, failed ones included. */
  readonly completed: number;
  /** Trials whose result is an error. */
  readonly failed: number;
  /** Task calls that were repeats. */
  readonly retried: number;
  /** Trials begun and without a result. */
  readonly inFlight: number;
}

/** Sums up the item evaluations of one name, after the trials of an item were reduced to one value. */
export interface EvaluationSummary {
  /** The evaluations' name. */
  readonly name: string;
  /** Evaluations with a value. */
  readonly n: number;
  /** Evaluations without a value although nothing failed. */
  readonly unscored: number;
  /** Evaluations that failed. */
  readonly errors: number;
  /** The mean of numbers; the share of true for booleans. */
  readonly mean: number | undefined;
  /** The mean's standard error. */
  readonly standardError: number | undefined;
  /** The sample's standard deviation. */
  readonly standardDeviation: number | undefined;
  /** The mean's interval, low and high. */
  readonly interval: readonly [low: number, high: number] | undefined;
  /** The smallest value. */
  readonly min: number | undefined;
  /** The greatest value. */
  readonly max: number | undefined;
  /** Values by probability. */
  readonly quantiles: ReadonlyMap<number, number>;
  /** How often each label was given. */
  readonly labels: Readonly<Record<string, number>>;
  /** The clusters that the standard error counts. 0 or absent: it counts independent values. */
  readonly clusters?: number;
}

/** How an experiment is recorded in Langfuse. */
export interface LangfuseStatus {
  /** The project, by its name in the server's configuration. */
  readonly project: string;
  /** The experiment's id in Langfuse. */
  readonly experimentId: string | undefined;
  /** The dataset run's id; undefined if the data is no dataset of Langfuse's. */
  readonly datasetRunId: string | undefined;
  /** The run's page in Langfuse. */
  readonly url: string | undefined;
  /** Records written and not yet answered for. */
  readonly queued: number;
  /** Records that Langfuse accepted. */
  readonly accepted: number;
  /** Records that Langfuse refused for good. */
  readonly rejected: number;
  /** Records found in Langfuse when reading back; undefined if not read back. */
  readonly verified: number | undefined;
  /** What went wrong last. */
  readonly lastError: Failure | undefined;
  /** When that happened. */
  readonly lastErrorTime: Date | undefined;
}

/** What became of a gate of the spec. */
export interface GateResult {
  /** The gate's name. */
  readonly name: string;
  /** Whether it holds. */
  readonly passed: boolean;
  /** What was compared with what, in one sentence. */
  readonly message: string;
  /** The value that was compared; undefined if there is none. */
  readonly value: number | undefined;
  /** The verdict of a gate on a baseline; absent for other gates. */
  readonly verdict?: Verdict;
}

/** What calls to language models took so far. */
export interface Spending {
  /** Tokens read. */
  readonly inputTokens: number;
  /** Tokens written. */
  readonly outputTokens: number;
  /** Cost in US dollars. */
  readonly costUsd: number;
  /** Calls that did not say what they took, and are not in the sums. */
  readonly unknown: number;
}

/** The experiment that another one looks at again. */
export interface Origin {
  /** The earlier experiment's id. */
  readonly experimentId: string;
  /** What is done with it: its outputs are evaluated anew, or what failed is repeated. */
  readonly kind: 'EVALUATE' | 'RETRY' | 'UNSPECIFIED';
}

/** How fast an endpoint may be called. All experiments of a server share it. */
export interface EndpointLimit {
  /** Its scheme, host and port. */
  readonly endpoint: string;
  /** Calls per second that are let through at the moment. */
  readonly rate: number;
  /** Calls in flight, those of other experiments included. */
  readonly inFlight: number;
  /** Until when nothing is let through, as the endpoint asked; undefined if calls are. */
  readonly pausedUntil: Date | undefined;
}

/** One run of a spec over its data, as it is at the moment. */
export interface Experiment {
  /** Its id, given by the server. */
  readonly id: string;
  /** The experiment's name. */
  readonly name: string;
  /** This run's name. */
  readonly runName: string;
  /** Where it is in its life. */
  readonly state: ExperimentState;
  /** What the run is about. */
  readonly description: string | undefined;
  /** Facts about the run. */
  readonly metadata: Readonly<Record<string, AnyJson>>;
  /** The names of the item evaluators in the order of the spec, the composite evaluator's last. */
  readonly evaluators: readonly string[];
  /** How far it is. */
  readonly progress: Progress;
  /** The item evaluations so far, one entry per name. */
  readonly summaries: readonly EvaluationSummary[];
  /** What the run evaluators said, failures included. */
  readonly runEvaluations: readonly Evaluation[];
  /** How it is recorded in Langfuse; undefined if it is not. */
  readonly langfuse: LangfuseStatus | undefined;
  /** The sequence of its last event. */
  readonly lastSequence: number;
  /** When it was accepted. */
  readonly createTime: Date | undefined;
  /** When it began. */
  readonly startTime: Date | undefined;
  /** When it ended. */
  readonly endTime: Date | undefined;
  /** Why it could not go on; only in state FAILED. */
  readonly error: Failure | undefined;
  /** Why nothing moves at the moment, such as NO_WORKER. */
  readonly waiting: Failure | undefined;
  /** What became of the gates. */
  readonly gates: readonly GateResult[];
  /** What the tasks took; undefined if none said. */
  readonly taskSpending: Spending | undefined;
  /** What the evaluators' models took. */
  readonly evaluationSpending: Spending | undefined;
  /** How fast the endpoints of its task and evaluators may be called; only `get` fills them in. Empty: none is limited. */
  readonly endpointLimits: readonly EndpointLimit[];
  /** The experiment that this one looks at again. */
  readonly origin: Origin | undefined;
  /** The request id that it was started with. */
  readonly requestId: string | undefined;
  /** The spec with defaults filled in, in the JSON form of the contract; inline items are left out. */
  readonly spec: ExperimentSpecJson;
}
