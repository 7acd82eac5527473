import { toJson } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Parse } from '../documents.js';
import { Verdict } from '../gen/evalrpc/v1/comparison_pb.js';
import type { EvaluatorSpec } from '../gen/evalrpc/v1/evaluator_pb.js';
import {
  OriginKind,
  type Experiment as ExperimentMessage,
  type Progress as ProgressMessage,
  type Spending as SpendingMessage,
} from '../gen/evalrpc/v1/experiment_pb.js';
import { ExperimentSpecSchema, type ExperimentSpec } from '../gen/evalrpc/v1/experiment_spec_pb.js';
import type { GateResult as GateResultMessage } from '../gen/evalrpc/v1/gate_pb.js';
import type { LangfuseStatus as LangfuseStatusMessage } from '../gen/evalrpc/v1/langfuse_pb.js';
import type { EvaluationSummary as SummaryMessage } from '../gen/evalrpc/v1/summary_pb.js';
import type {
  EvaluationSummary,
  Experiment,
  GateResult,
  LangfuseStatus,
  Origin,
  Progress,
  Spending,
} from '../model/experiment.js';
import { verdictFromMessage } from './comparisons.js';
import { evaluationFromMessage, failureFromMessage, textOrNone } from './evaluations.js';
import { stateFromMessage } from './states.js';

/** Reads an experiment. */
export function experimentFromMessage(message: ExperimentMessage | undefined, parse: Parse): Experiment {
  if (message === undefined) {
    throw new TypeError('the server sent no experiment');
  }
  const { spec } = message;
  return {
    id: message.id,
    name: spec?.name ?? '',
    runName: spec?.runName ?? '',
    state: stateFromMessage(message.state),
    description: textOrNone(spec?.description ?? ''),
    metadata: spec?.metadata ?? {},
    evaluators: spec === undefined ? [] : evaluatorNames(spec),
    progress: progressFromMessage(message.progress),
    summaries: message.summaries.map(summary),
    runEvaluations: message.runEvaluations.map((each) => evaluationFromMessage(each, parse)),
    langfuse: message.langfuse && langfuseStatus(message.langfuse),
    lastSequence: message.lastSequence,
    createTime: message.createTime && timestampDate(message.createTime),
    startTime: message.startTime && timestampDate(message.startTime),
    endTime: message.endTime && timestampDate(message.endTime),
    error: message.error && failureFromMessage(message.error),
    waiting: message.waiting && failureFromMessage(message.waiting),
    gates: message.gates.map(gateResult),
    taskSpending: message.taskSpending && spending(message.taskSpending),
    evaluationSpending: message.evaluationSpending && spending(message.evaluationSpending),
    endpointLimits: message.endpointLimits.map((each) => ({
      endpoint: each.endpoint,
      rate: each.rate,
      inFlight: each.inFlight,
      pausedUntil: each.pausedUntil && timestampDate(each.pausedUntil),
    })),
    origin: message.origin && {
      experimentId: message.origin.experimentId,
      kind: (OriginKind[message.origin.kind] as Origin['kind'] | undefined) ?? 'UNSPECIFIED',
    },
    requestId: textOrNone(message.requestId),
    spec: spec === undefined ? {} : toJson(ExperimentSpecSchema, spec),
  };
}

/** Reads the counts of trials. */
export function progressFromMessage(message: ProgressMessage | undefined): Progress {
  return {
    total: message?.total,
    completed: message?.completed ?? 0,
    failed: message?.failed ?? 0,
    retried: message?.retried ?? 0,
    inFlight: message?.inFlight ?? 0,
  };
}

function evaluatorNames(spec: ExperimentSpec): string[] {
  const composite = spec.compositeEvaluator === undefined ? [] : [spec.compositeEvaluator];
  return [...spec.evaluators, ...composite].map(evaluatorName);
}

/** Returns the name of an evaluator's evaluations, which two kinds give by default. */
function evaluatorName({ name, kind }: EvaluatorSpec): string {
  if (name !== '') {
    return name;
  }
  if (kind.case === 'builtin') {
    return kind.value.name;
  }
  return kind.case === 'registered' ? (kind.value.split('@')[0] ?? '') : '';
}

function summary(message: SummaryMessage): EvaluationSummary {
  return {
    name: message.name,
    n: message.n,
    unscored: message.unscored,
    errors: message.errors,
    mean: message.mean,
    standardError: message.standardError,
    standardDeviation: message.standardDeviation,
    interval: message.interval && [message.interval.low, message.interval.high],
    min: message.min,
    max: message.max,
    quantiles: new Map(message.quantiles.map(({ probability, value }) => [probability, value])),
    labels: message.labels,
    clusters: message.clusters,
  };
}

function langfuseStatus(message: LangfuseStatusMessage): LangfuseStatus {
  return {
    project: message.project,
    experimentId: textOrNone(message.experimentId),
    datasetRunId: textOrNone(message.datasetRunId),
    url: textOrNone(message.url),
    queued: message.queued,
    accepted: message.accepted,
    rejected: message.rejected,
    verified: message.verified,
    lastError: message.lastError && failureFromMessage(message.lastError),
    lastErrorTime: message.lastErrorTime && timestampDate(message.lastErrorTime),
  };
}

function gateResult({ name, passed, message, value, verdict }: GateResultMessage): GateResult {
  const judged = verdict === Verdict.UNSPECIFIED ? {} : { verdict: verdictFromMessage(verdict) };
  return { name, passed, message, value, ...judged };
}

function spending(message: SpendingMessage): Spending {
  return {
    inputTokens: Number(message.inputTokens),
    outputTokens: Number(message.outputTokens),
    costUsd: message.costUsd,
    unknown: message.unknown,
  };
}
