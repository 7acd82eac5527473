import { durationMs } from '@bufbuild/protobuf/wkt';
import { documentText, type Parse } from '../documents.js';
import type { Error as FailureMessage } from '../gen/evalrpc/v1/error_pb.js';
import type { Evaluation as EvaluationMessage } from '../gen/evalrpc/v1/evaluation_pb.js';
import type { Usage as UsageMessage } from '../gen/evalrpc/v1/item_pb.js';
import {
  Evaluation,
  type EvaluationFields,
  type EvaluationValue,
  type Failure,
  type Usage,
} from '../model/evaluation.js';

/** Returns a text, or undefined for an empty one, which means "none" in the contract. */
export function textOrNone(text: string): string | undefined {
  return text === '' ? undefined : text;
}

/** Reads an error inside data. */
export function failureFromMessage(message: FailureMessage): Failure {
  const { reason, message: sentence, metadata, retryable } = message;
  return { reason, message: sentence, metadata, retryable };
}

/** Reads a usage. */
export function usageFromMessage(message: UsageMessage): Usage {
  return {
    ...(message.inputTokens !== undefined && { inputTokens: message.inputTokens }),
    ...(message.outputTokens !== undefined && { outputTokens: message.outputTokens }),
    ...(message.costUsd !== undefined && { costUsd: message.costUsd }),
    ...(message.model !== '' && { model: message.model }),
  };
}

/** Reads an evaluation. One whose kind of value this version does not know is unscored and says so. */
export function evaluationFromMessage(message: EvaluationMessage, parse: Parse): Evaluation {
  return new Evaluation(
    {
      ...verdict(message.value),
      name: message.name,
      evaluator: message.evaluator,
      comment: textOrNone(message.comment),
      metadataJson: documentText(message.metadata),
      configId: textOrNone(message.configId),
      durationMs: message.duration && durationMs(message.duration),
      usage: message.usage && usageFromMessage(message.usage),
    },
    parse,
  );
}

function verdict(value: EvaluationMessage['value']): Pick<EvaluationFields, 'value' | 'unscored' | 'error'> {
  switch (value.case) {
    case 'number':
    case 'boolean':
    case 'label':
      return { value: value.value };
    case 'unscored':
      return { unscored: value.value.reason };
    case 'error':
      return { error: failureFromMessage(value.value) };
    default:
      return { unscored: 'its kind of value is unknown to this version of the client' };
  }
}

/** Returns a value as the kind of the contract that it is. */
export function valueMessage(
  value: EvaluationValue,
):
  { case: 'number'; value: number } | { case: 'boolean'; value: boolean } | { case: 'label'; value: string } {
  switch (typeof value) {
    case 'number':
      return { case: 'number', value };
    case 'boolean':
      return { case: 'boolean', value };
    default:
      return { case: 'label', value };
  }
}
