/**
 * Client for evalrpc, an experiment runner as a gRPC service.
 *
 * @packageDocumentation
 */

export { createEvaluatorFromAutoevals, type Autoevaluator } from './autoevals.js';
export type { CalibrateOptions, Calibration, LabelledOutput } from './calibration.js';
export { Client, type WatchFromOptions } from './client.js';
export type { ConnectionOptions, TlsOptions } from './connection.js';
export { hasEnded } from './convert/states.js';
export type { CreateScoresOptions, LinkOptions, ProjectOptions, Score } from './dataset-calls.js';
export { parseExact, RawJson, rawJson, type AnyJson, type Parse } from './documents.js';
export * from './errors.js';
export type { ListEvaluatorsOptions, RegisterOptions } from './evaluator-calls.js';
export type { ListOptions, ListResultsOptions } from './experiment-calls.js';
export type * from './langfuse-style.js';
export type * from './model/comparison.js';
export { DatasetItem, type Dataset, type DatasetItemLink, type ScoreReceipt } from './model/dataset.js';
export { Evaluation, type EvaluationValue, type Failure, type Usage } from './model/evaluation.js';
export type * from './model/evaluators.js';
export type * from './model/event.js';
export type * from './model/experiment.js';
export { Item, ItemResult, type Context } from './model/item-result.js';
export { ExperimentResult, type FormatOptions } from './model/result.js';
export { ProgressBar, showProgress, type ProgressOptions, type ProgressStream } from './progress.js';
export {
  RegressionError,
  RunnerContext,
  type RegressionOptions,
  type RunnerContextOptions,
} from './regression.js';
export { Run } from './run.js';
export type {
  DataReference,
  ExpectedOutputOf,
  InputOf,
  ItemInput,
  Items,
  LangfuseDataset,
  MetadataOf,
} from './spec/data.js';
export {
  builtin,
  expression,
  grpcEvaluator,
  httpEvaluator,
  judge,
  registered,
  workerEvaluator,
  type EvaluatorOptions,
} from './spec/evaluators.js';
export { TaskOutput, taskOutput } from './spec/functions.js';
export type * from './spec/functions.js';
export type * from './spec/options.js';
export type { ConnectedWorker, HostedFunction } from './model/worker.js';
export type { Definition, ListDefinitionsOptions } from './definition-calls.js';
export type { ListWorkersOptions } from './worker-calls.js';
export { RetryableError } from './worker/calls.js';
export { inThread, type ThreadedFunction, type ThreadOptions } from './worker/threads.js';
export type { FunctionDetails } from './worker/service.js';
export { Worker, type WorkerOptions, type WorkerStatus } from './worker/worker.js';
export { ServerClient, type ClientOptions } from './server-client.js';
export { VERSION } from './version.js';
export type { EvaluatorSpecJson } from './gen/evalrpc/v1/evaluator_pb.js';
export type { ExperimentSpecJson, TraceOptionsJson } from './gen/evalrpc/v1/experiment_spec_pb.js';
export type { BudgetJson, GateJson, TrialReducerJson } from './gen/evalrpc/v1/gate_pb.js';
export type { JudgeEvaluatorJson, JudgeModelJson } from './gen/evalrpc/v1/judge_pb.js';
export type { TaskJson } from './gen/evalrpc/v1/task_pb.js';
