import { create } from '@bufbuild/protobuf';
import { evaluationFromMessage } from './convert/evaluations.js';
import { encodeDocument, type AnyJson, type Parse } from './documents.js';
import { invalidRequest } from './errors.js';
import {
  LabelledOutputSchema,
  type CalibrateJudgeResponse,
  type LabelledOutput as LabelledOutputMessage,
} from './gen/evalrpc/v1/calibration_pb.js';
import type { Interval } from './gen/evalrpc/v1/summary_pb.js';
import type { Evaluation, EvaluationValue } from './model/evaluation.js';

/** An output with a person's verdict, of the kind that the judge gives. */
export interface LabelledOutput {
  /** The input of the item that the output is for. */
  readonly input?: AnyJson;
  /** The item's expected output. */
  readonly expectedOutput?: AnyJson;
  /** The item's metadata. */
  readonly metadata?: AnyJson;
  /** The output. */
  readonly output: AnyJson;
  /** The passages that the output rests on. */
  readonly contexts?: readonly string[];
  /** The person's verdict. */
  readonly verdict: EvaluationValue;
}

/** How a judge is measured. */
export interface CalibrateOptions {
  /** From which number on a verdict counts as positive. Default: 0.5. */
  readonly positiveFrom?: number;
  /** How long all of it may take, in milliseconds; models are called as often as there are outputs. Default: an hour. */
  readonly timeoutMs?: number;
}

/** How far a judge agrees with people. */
export interface Calibration {
  /** Outputs on which the judge gave a verdict. */
  readonly n: number;
  /** Outputs that it left unscored. */
  readonly unscored: number;
  /** Outputs on which it failed. */
  readonly errors: number;
  /** The share of equal verdicts. */
  readonly accuracy: number | undefined;
  /** The interval of `accuracy`, low and high. */
  readonly accuracyInterval: readonly [number, number] | undefined;
  /** Cohen's kappa, the agreement beyond chance; undefined where chance alone would agree always. */
  readonly kappa: number | undefined;
  /** The interval of `kappa`, low and high. */
  readonly kappaInterval: readonly [number, number] | undefined;
  /** The judge's evaluations, in the order of the outputs. */
  readonly evaluations: readonly Evaluation[];
}

/**
 * Returns an output with a person's verdict as the contract's message.
 *
 * @param given - the output
 * @param path - its place, for errors
 */
export function labelledMessage(given: LabelledOutput, path: string): LabelledOutputMessage {
  return create(LabelledOutputSchema, {
    item: {
      input: document(given.input ?? null, `${path}.input`),
      ...(given.expectedOutput !== undefined && {
        expectedOutput: document(given.expectedOutput, `${path}.expectedOutput`),
      }),
      ...(given.metadata !== undefined && { metadata: document(given.metadata, `${path}.metadata`) }),
    },
    output: document(given.output, `${path}.output`),
    contexts: (given.contexts ?? []).map((text) => ({ text })),
    verdict: verdictMessage(given.verdict),
  });
}

/** Reads how far a judge agrees with people. */
export function calibrationFromMessage(message: CalibrateJudgeResponse, parse: Parse): Calibration {
  const { n, unscored, errors, accuracy, kappa } = message;
  return {
    n,
    unscored,
    errors,
    accuracy,
    accuracyInterval: ends(message.accuracyInterval),
    kappa,
    kappaInterval: ends(message.kappaInterval),
    evaluations: message.evaluations.map((each) => evaluationFromMessage(each, parse)),
  };
}

function ends(interval: Interval | undefined): readonly [number, number] | undefined {
  return interval && [interval.low, interval.high];
}

function document(value: unknown, path: string) {
  try {
    return { kind: { case: 'text' as const, value: encodeDocument(value) } };
  } catch (error) {
    throw invalidRequest([{ path, description: `cannot be written as JSON: ${String(error)}` }], error);
  }
}

function verdictMessage(verdict: EvaluationValue): LabelledOutputMessage['verdict'] {
  switch (typeof verdict) {
    case 'number':
      return { case: 'number', value: verdict };
    case 'boolean':
      return { case: 'boolean', value: verdict };
    default:
      return { case: 'label', value: verdict };
  }
}
