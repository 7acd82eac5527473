import type { AnyJson } from '../documents.js';
import type {
  EvaluatorSpecJson,
  GrpcEvaluatorJson,
  HttpEvaluatorJson,
} from '../gen/evalrpc/v1/evaluator_pb.js';
import type { JudgeEvaluatorJson } from '../gen/evalrpc/v1/judge_pb.js';
import { durationText } from './parsing.js';

/** What every kind of evaluator may be given. */
export interface EvaluatorOptions {
  /** The name of its evaluations, unless the evaluator names them itself. */
  readonly name?: string;
  /** How long one call may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** How many calls may be in flight at once. */
  readonly maxConcurrency?: number;
}

/**
 * Returns one of the server's own evaluators, as `client.listBuiltinEvaluators()` lists them.
 *
 * @param evaluator - its name, such as "contains"
 * @param options - its parameters, such as `{ params: { ignore_case: true } }`, and a name of its evaluations
 */
export function builtin(
  evaluator: string,
  options: EvaluatorOptions & { readonly params?: Readonly<Record<string, AnyJson>> } = {},
): EvaluatorSpecJson {
  const { params, ...common } = options;
  return { ...optionFields(common), builtin: { name: evaluator, ...(params && { params }) } };
}

/**
 * Returns an evaluator behind an HTTP endpoint.
 *
 * @param options - its URL and name; values of headers may hold secrets of the server by reference, `${secret:NAME}`
 */
export function httpEvaluator(
  options: EvaluatorOptions & HttpEvaluatorJson & { readonly url: string; readonly name: string },
): EvaluatorSpecJson {
  const { name, timeoutMs, maxConcurrency, ...http } = options;
  return { ...optionFields({ name, timeoutMs, maxConcurrency }), http };
}

/**
 * Returns an evaluator behind a gRPC endpoint that implements `EvaluationService`.
 *
 * @param options - its target, `host:port`, and name
 */
export function grpcEvaluator(
  options: EvaluatorOptions & GrpcEvaluatorJson & { readonly target: string; readonly name: string },
): EvaluatorSpecJson {
  const { name, timeoutMs, maxConcurrency, ...grpc } = options;
  return { ...optionFields({ name, timeoutMs, maxConcurrency }), grpc };
}

/**
 * Returns a judge: language models that judge an output by a rubric or a preset.
 *
 * @param options - its name, models and rubric, as in `{ name: 'helpful', rubric: '...', models: [{ model: '...' }] }`
 */
export function judge(
  options: EvaluatorOptions & JudgeEvaluatorJson & { readonly name: string },
): EvaluatorSpecJson {
  const { name, timeoutMs, maxConcurrency, ...fields } = options;
  return { ...optionFields({ name, timeoutMs, maxConcurrency }), judge: fields };
}

/**
 * Returns an evaluator that is a CEL expression over input, output, expected_output, metadata, contexts, usage and latency.
 *
 * @param source - such as "output.contains(expected_output)"
 * @param options - the name of its evaluations
 */
export function expression(
  source: string,
  options: EvaluatorOptions & { readonly name: string },
): EvaluatorSpecJson {
  return { ...optionFields(options), expression: { expression: source } };
}

/**
 * Returns a registered evaluator.
 *
 * @param evaluator - "accuracy" for its latest version, "accuracy\@3" for that one
 * @param options - a name of its evaluations
 */
export function registered(evaluator: string, options: EvaluatorOptions = {}): EvaluatorSpecJson {
  return { ...optionFields(options), registered: evaluator };
}

/**
 * Returns an evaluator function that a connected worker hosts.
 *
 * @param workerFunction - the function's name
 * @param options - a name of its evaluations; the function's own by default
 */
export function workerEvaluator(workerFunction: string, options: EvaluatorOptions = {}): EvaluatorSpecJson {
  return { name: workerFunction, ...optionFields(options), worker: { function: workerFunction } };
}

function optionFields(options: {
  readonly name?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly maxConcurrency?: number | undefined;
}): EvaluatorSpecJson {
  const { name, timeoutMs, maxConcurrency } = options;
  return {
    ...(name !== undefined && { name }),
    ...(timeoutMs !== undefined && { timeout: durationText(timeoutMs) }),
    ...(maxConcurrency !== undefined && { maxConcurrency }),
  };
}
