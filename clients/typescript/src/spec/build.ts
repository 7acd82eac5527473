import { create, fromJson } from '@bufbuild/protobuf';
import { EvaluatorSpecSchema, type EvaluatorSpec } from '../gen/evalrpc/v1/evaluator_pb.js';
import {
  ExperimentSpecSchema,
  RetryPolicySchema,
  TraceOptionsSchema,
  type ExperimentSpec,
  type RetryPolicy as RetryMessage,
} from '../gen/evalrpc/v1/experiment_spec_pb.js';
import { BudgetSchema, GateSchema, TrialReducerSchema } from '../gen/evalrpc/v1/gate_pb.js';
import { LangfuseSync } from '../gen/evalrpc/v1/langfuse_pb.js';
import { TaskSchema, type Task } from '../gen/evalrpc/v1/task_pb.js';
import { invalidRequest } from '../errors.js';
import type { Hosted, Hosting } from './hosting.js';
import type { ExperimentSettings, RetryPolicy } from './options.js';
import { duration, jsonObject, parsed } from './parsing.js';

const SYNC = { background: LangfuseSync.BACKGROUND, wait: LangfuseSync.WAIT, off: LangfuseSync.OFF } as const;

/**
 * Returns what the options say as the contract's message, apart from the data. Functions are added to `hosting`.
 *
 * @throws {@link InvalidRequestError} if something does not have the contract's form
 */
export function buildSpec(options: ExperimentSettings, hosting: Hosting): ExperimentSpec {
  const spec =
    options.spec === undefined
      ? create(ExperimentSpecSchema)
      : parsed(ExperimentSpecSchema, options.spec, 'experiment');
  layText(spec, options);
  layNumbers(spec, options);
  layDurations(spec, options);
  laySettings(spec, options);
  if (options.task !== undefined) {
    spec.task = taskMessage(options.task, options.includeExpectedOutput ?? true, hosting);
  }
  if (options.evaluators !== undefined) {
    spec.evaluators = options.evaluators.map((each, index) =>
      evaluatorMessage(each, `evaluators[${index}]`, 'evaluator', hosting),
    );
  }
  if (options.compositeEvaluator !== undefined) {
    spec.compositeEvaluator = evaluatorMessage(
      options.compositeEvaluator,
      'composite_evaluator',
      'evaluator',
      hosting,
    );
  }
  if (options.runEvaluators !== undefined) {
    spec.runEvaluators = options.runEvaluators.map((each, index) =>
      evaluatorMessage(each, `run_evaluators[${index}]`, 'runEvaluator', hosting),
    );
  }
  return spec;
}

function layText(spec: ExperimentSpec, options: ExperimentSettings): void {
  spec.name = options.name ?? spec.name;
  spec.runName = options.runName ?? spec.runName;
  spec.description = options.description ?? spec.description;
  spec.langfuseProject = options.langfuseProject ?? spec.langfuseProject;
  spec.clusterBy = options.clusterBy ?? spec.clusterBy;
}

function layNumbers(spec: ExperimentSpec, options: ExperimentSettings): void {
  for (const name of ['maxConcurrency', 'repetitions', 'dryRunItems'] as const) {
    const value = options[name];
    if (value === undefined) {
      continue;
    }
    if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 31) {
      throw invalidRequest([
        { path: `experiment.${name}`, description: `must be a whole number, not ${value}` },
      ]);
    }
    spec[name] = value;
  }
}

function layDurations(spec: ExperimentSpec, options: ExperimentSettings): void {
  const { taskTimeoutMs, evaluatorTimeoutMs, langfuseSyncTimeoutMs, workerWaitMs } = options;
  if (taskTimeoutMs !== undefined) {
    spec.taskTimeout = duration(taskTimeoutMs, 'experiment.taskTimeoutMs');
  }
  if (evaluatorTimeoutMs !== undefined) {
    spec.evaluatorTimeout = duration(evaluatorTimeoutMs, 'experiment.evaluatorTimeoutMs');
  }
  if (langfuseSyncTimeoutMs !== undefined) {
    spec.langfuseSyncTimeout = duration(langfuseSyncTimeoutMs, 'experiment.langfuseSyncTimeoutMs');
  }
  if (workerWaitMs !== undefined) {
    spec.workerWait = duration(workerWaitMs, 'experiment.workerWaitMs');
  }
}

function laySettings(spec: ExperimentSpec, options: ExperimentSettings): void {
  if (options.metadata !== undefined) {
    spec.metadata = jsonObject(options.metadata, 'experiment.metadata');
  }
  if (options.retry !== undefined) {
    spec.retry = retryMessage(
      typeof options.retry === 'number' ? { maxAttempts: options.retry } : options.retry,
    );
  }
  if (options.langfuseSync !== undefined) {
    spec.langfuseSync = SYNC[options.langfuseSync];
  }
  if (options.trace !== undefined) {
    spec.trace = parsed(TraceOptionsSchema, options.trace, 'experiment.trace');
  }
  if (options.trialReducers !== undefined) {
    spec.trialReducers = options.trialReducers.map((each, index) =>
      parsed(TrialReducerSchema, each, `experiment.trial_reducers[${index}]`),
    );
  }
  if (options.gates !== undefined) {
    spec.gates = options.gates.map((each, index) => parsed(GateSchema, each, `experiment.gates[${index}]`));
  }
  if (options.budget !== undefined) {
    spec.budget = parsed(BudgetSchema, options.budget, 'experiment.budget');
  }
}

function retryMessage(policy: RetryPolicy): RetryMessage {
  const { maxAttempts, initialBackoffMs, maxBackoffMs, multiplier } = policy;
  return create(RetryPolicySchema, {
    ...(maxAttempts !== undefined && { maxAttempts }),
    ...(initialBackoffMs !== undefined && {
      initialBackoff: duration(initialBackoffMs, 'experiment.retry.initialBackoffMs'),
    }),
    ...(maxBackoffMs !== undefined && {
      maxBackoff: duration(maxBackoffMs, 'experiment.retry.maxBackoffMs'),
    }),
    ...(multiplier !== undefined && { multiplier }),
  });
}

function taskMessage(
  task: NonNullable<ExperimentSettings['task']>,
  includeExpectedOutput: boolean,
  hosting: Hosting,
): Task {
  if (typeof task === 'string') {
    return fromJson(TaskSchema, { http: { url: task } });
  }
  if (typeof task === 'function') {
    const name = hosting.add('task', { kind: 'task', run: task });
    return fromJson(TaskSchema, { worker: { function: name, includeExpectedOutput } });
  }
  return parsed(TaskSchema, task, 'experiment.task');
}

/** Returns an evaluator as the contract's message; a function's evaluations are called after it, or after its place. */
function evaluatorMessage(
  evaluator: object,
  place: string,
  kind: 'evaluator' | 'runEvaluator',
  hosting: Hosting,
): EvaluatorSpec {
  if (typeof evaluator === 'function') {
    const name = hosting.add(place, { kind, run: evaluator } as Hosted);
    return fromJson(EvaluatorSpecSchema, { name: evaluator.name || place, worker: { function: name } });
  }
  return parsed(EvaluatorSpecSchema, evaluator, `experiment.${place}`);
}
