import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { valueMessage } from '../convert/evaluations.js';
import { encodeDocument } from '../documents.js';
import type { EvaluationSchema, Evaluation as EvaluationMessage } from '../gen/evalrpc/v1/evaluation_pb.js';
import {
  EvaluateItemResponseSchema,
  type EvaluateItemResponse,
} from '../gen/evalrpc/v1/evaluation_service_pb.js';
import type { ContextSchema, UsageSchema } from '../gen/evalrpc/v1/item_pb.js';
import type { JsonSchema } from '../gen/evalrpc/v1/json_pb.js';
import { RunTaskResponseSchema, type RunTaskResponse } from '../gen/evalrpc/v1/task_service_pb.js';
import { Evaluation, type EvaluationValue, type Usage } from '../model/evaluation.js';
import type { Context } from '../model/item-result.js';
import { TaskOutput, type EvaluationAnswer, type EvaluatorAnswer } from '../spec/functions.js';

const NO_VALUE = 'the evaluator gave no value';

/**
 * Writes what a task function returned.
 *
 * @throws TypeError if it has no form in JSON
 */
export function taskAnswer(returned: unknown): RunTaskResponse {
  const answer: TaskOutput<unknown> = returned instanceof TaskOutput ? returned : new TaskOutput(returned);
  const { output, details } = answer;
  return create(RunTaskResponseSchema, {
    output: document(output),
    contexts: (details.contexts ?? []).map(contextMessage),
    ...(details.usage && { usage: usageMessage(details.usage) }),
    ...(details.metadata && { metadata: document(details.metadata) }),
  });
}

/**
 * Writes what an evaluator function returned.
 *
 * @throws TypeError if it is no verdict
 */
export function evaluatorAnswer(returned: EvaluatorAnswer): EvaluateItemResponse {
  const verdicts = Array.isArray(returned) ? (returned as unknown[]) : [returned];
  return create(EvaluateItemResponseSchema, { evaluations: verdicts.map(evaluationMessage) });
}

function evaluationMessage(verdict: unknown): MessageInitShape<typeof EvaluationSchema> {
  if (verdict === null || verdict === undefined) {
    return { value: unscored(NO_VALUE) };
  }
  if (typeof verdict !== 'object') {
    return { value: verdictMessage(verdict) };
  }
  if (!('value' in verdict)) {
    throw new TypeError(`an evaluation needs a value; its keys are ${Object.keys(verdict).join(', ')}`);
  }
  const answer = verdict as EvaluationAnswer;
  const usage = verdict instanceof Evaluation ? verdict.usage : undefined;
  return {
    name: answer.name ?? '',
    value: answerValue(answer),
    comment: answer.comment ?? '',
    configId: answer.configId ?? '',
    ...(answer.metadata && { metadata: document(answer.metadata) }),
    ...(usage && { usage: usageMessage(usage) }),
  };
}

function answerValue(answer: EvaluationAnswer): EvaluationMessage['value'] {
  if (answer instanceof Evaluation && answer.error !== undefined) {
    return { case: 'error', value: answer.error } as unknown as EvaluationMessage['value'];
  }
  if (answer.value === null || answer.value === undefined) {
    return unscored(answer.unscored ?? NO_VALUE);
  }
  if (answer.dataType === 'BOOLEAN' && (answer.value === 0 || answer.value === 1)) {
    return { case: 'boolean', value: answer.value === 1 };
  }
  return verdictMessage(answer.value);
}

function verdictMessage(value: unknown): EvaluationMessage['value'] {
  if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'string') {
    throw new TypeError(
      `an evaluation's value must be a number, a boolean or a string, not a ${typeof value}`,
    );
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`an evaluation's value must be finite, not ${value}`);
  }
  return valueMessage(value satisfies EvaluationValue);
}

function unscored(reason: string): EvaluationMessage['value'] {
  return { case: 'unscored', value: { reason } } as EvaluationMessage['value'];
}

function document(value: unknown): MessageInitShape<typeof JsonSchema> {
  return { kind: { case: 'text', value: encodeDocument(value) } };
}

function contextMessage(context: Context | string): MessageInitShape<typeof ContextSchema> {
  return typeof context === 'string' ? { text: context } : context;
}

function usageMessage(usage: Usage): MessageInitShape<typeof UsageSchema> {
  return usage;
}
