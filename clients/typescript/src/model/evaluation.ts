import { type AnyJson, type Parse, parsedOnce } from '../documents.js';

/** What an evaluator may say: a number, true or false, or a label. */
export type EvaluationValue = number | boolean | string;

/** What went wrong with an item, an evaluation, an experiment or a delivery; data, not an exception. */
export interface Failure {
  /** A stable name, such as `TASK_TIMEOUT`; `ErrorReason` in the contract lists them. */
  readonly reason: string;
  /** One sentence for a person. */
  readonly message: string;
  /** The facts in the message, by name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
}

/** What calls to language models took; a count is undefined where unknown, which is not 0. */
export interface Usage {
  /** Tokens read. */
  readonly inputTokens?: number;
  /** Tokens written. */
  readonly outputTokens?: number;
  /** Cost in US dollars. */
  readonly costUsd?: number;
  /** The model's name. */
  readonly model?: string;
}

/** The fields of an {@link Evaluation}. */
export interface EvaluationFields {
  readonly name: string;
  readonly value?: EvaluationValue | null;
  readonly unscored?: string | undefined;
  readonly error?: Failure | undefined;
  readonly evaluator?: string;
  readonly comment?: string | undefined;
  readonly metadataJson?: string | undefined;
  readonly configId?: string | undefined;
  readonly durationMs?: number | undefined;
  readonly usage?: Usage | undefined;
}

/**
 * One verdict on an item's result or on a whole run. It has a `value`, or is `unscored`, or has an `error`: a failed
 * evaluator never gives a 0.
 */
export class Evaluation {
  /** What was judged, such as `accuracy`. */
  readonly name: string;
  /** The verdict; null if there is none. */
  readonly value: EvaluationValue | null;
  /** Why the evaluator had nothing to say although nothing failed. */
  readonly unscored: string | undefined;
  /** Why the evaluator failed. */
  readonly error: Failure | undefined;
  /** Which evaluator judged, as `name@version`, or its name alone. */
  readonly evaluator: string;
  /** The evaluator's explanation. */
  readonly comment: string | undefined;
  /** Further facts, a JSON object as text. */
  readonly metadataJson: string | undefined;
  /** The Langfuse score config that the value obeys. */
  readonly configId: string | undefined;
  /** How long the evaluator took, in milliseconds. */
  readonly durationMs: number | undefined;
  /** What the evaluator's own models took. */
  readonly usage: Usage | undefined;
  readonly #metadata: () => unknown;

  /**
   * @param fields - what it says
   * @param parse - how documents are parsed
   */
  constructor(fields: EvaluationFields, parse: Parse = JSON.parse) {
    this.name = fields.name;
    this.value = fields.value ?? null;
    this.unscored = fields.unscored;
    this.error = fields.error;
    this.evaluator = fields.evaluator ?? '';
    this.comment = fields.comment;
    this.metadataJson = fields.metadataJson;
    this.configId = fields.configId;
    this.durationMs = fields.durationMs;
    this.usage = fields.usage;
    this.#metadata = parsedOnce(this.metadataJson, parse);
  }

  /** Further facts, parsed on first use; undefined if there are none. */
  get metadata(): AnyJson {
    return this.#metadata();
  }
}

/** Returns a failure as one line: "TASK_TIMEOUT: no answer within 120 s". */
export function failureText(failure: Failure): string {
  return failure.message === '' ? failure.reason : `${failure.reason}: ${failure.message}`;
}
