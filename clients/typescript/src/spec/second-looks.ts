import { create } from '@bufbuild/protobuf';
import { randomUUID } from 'node:crypto';
import {
  EvaluatorSpecSchema,
  type EvaluatorSpec,
  type EvaluatorSpecJson,
} from '../gen/evalrpc/v1/evaluator_pb.js';
import {
  EvaluateExperimentRequestSchema,
  RetryExperimentRequestSchema,
  RetryScope,
  type EvaluateExperimentRequest,
  type RetryExperimentRequest,
} from '../gen/evalrpc/v1/second_look_pb.js';
import type { EvaluateOptions, RetryOptions } from './options.js';
import { parsed } from './parsing.js';

const SCOPES = {
  all: RetryScope.ALL,
  tasks: RetryScope.TASKS,
  evaluations: RetryScope.EVALUATIONS,
} as const;

/** Returns the request to evaluate stored outputs anew. */
export function evaluateRequest(id: string, options: EvaluateOptions): EvaluateExperimentRequest {
  const { evaluators = [], compositeEvaluator, runEvaluators = [], runName = '', requestId } = options;
  return create(EvaluateExperimentRequestSchema, {
    id,
    evaluators: evaluators.map((each, index) => remote(each, `evaluators[${index}]`)),
    ...(compositeEvaluator && { compositeEvaluator: remote(compositeEvaluator, 'composite_evaluator') }),
    runEvaluators: runEvaluators.map((each, index) => remote(each, `run_evaluators[${index}]`)),
    runName,
    requestId: requestId ?? randomUUID(),
  });
}

/** Returns the request to repeat what failed. */
export function retryRequest(id: string, options: RetryOptions): RetryExperimentRequest {
  const { scope = 'all', runName = '', requestId } = options;
  return create(RetryExperimentRequestSchema, {
    id,
    scope: SCOPES[scope],
    runName,
    requestId: requestId ?? randomUUID(),
  });
}

function remote(evaluator: EvaluatorSpecJson, path: string): EvaluatorSpec {
  if (typeof evaluator === 'function') {
    throw new TypeError(`${path} is a function: host it with a Worker, and name it by workerEvaluator()`);
  }
  return parsed(EvaluatorSpecSchema, evaluator, path);
}
