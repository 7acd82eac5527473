import { type AnyJson, type Parse, parsedOnce } from '../documents.js';
import type { Evaluation, Failure, Usage } from './evaluation.js';

/** The fields of an {@link Item}. */
export interface ItemFields {
  readonly id: string;
  readonly index: number;
  readonly datasetItemId?: string | undefined;
  readonly inputJson?: string | undefined;
  readonly expectedOutputJson?: string | undefined;
  readonly metadataJson?: string | undefined;
}

/**
 * One item of an experiment's data, as results carry it. Documents are kept as the JSON text that was sent, exact to the
 * last digit, and parsed on first use.
 */
export class Item<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson> {
  /** The item's id, given or by default. */
  readonly id: string;
  /** Its place in the data, from 0. */
  readonly index: number;
  /** The Langfuse dataset item that it comes from. */
  readonly datasetItemId: string | undefined;
  /** The input as JSON text. */
  readonly inputJson: string | undefined;
  /** The expected output as JSON text; undefined if there is none, "null" for JSON null. */
  readonly expectedOutputJson: string | undefined;
  /** Facts about the item, a JSON object as text. */
  readonly metadataJson: string | undefined;
  readonly #input: () => unknown;
  readonly #expectedOutput: () => unknown;
  readonly #metadata: () => unknown;

  /**
   * @param fields - what it holds
   * @param parse - how documents are parsed
   */
  constructor(fields: ItemFields, parse: Parse = JSON.parse) {
    this.id = fields.id;
    this.index = fields.index;
    this.datasetItemId = fields.datasetItemId;
    this.inputJson = fields.inputJson;
    this.expectedOutputJson = fields.expectedOutputJson;
    this.metadataJson = fields.metadataJson;
    this.#input = parsedOnce(this.inputJson, parse);
    this.#expectedOutput = parsedOnce(this.expectedOutputJson, parse);
    this.#metadata = parsedOnce(this.metadataJson, parse);
  }

  /** What the task got. */
  get input(): Input {
    return this.#input() as Input;
  }

  /** What a right output looks like; undefined if there is none, null for JSON null. */
  get expectedOutput(): ExpectedOutput | undefined {
    return this.#expectedOutput() as ExpectedOutput | undefined;
  }

  /** Facts about the item; undefined if there are none. */
  get metadata(): Metadata | undefined {
    return this.#metadata() as Metadata | undefined;
  }
}

/** One passage that the task says it used. */
export interface Context {
  /** The passage. */
  readonly text: string;
  /** The passage's id where it is kept. */
  readonly id?: string;
  /** Where it comes from, such as a document's name or URL. */
  readonly source?: string;
  /** The retriever's score, in its own unit. */
  readonly score?: number;
}

/** The fields of an {@link ItemResult}. */
export interface ItemResultFields<Input, ExpectedOutput, Metadata> {
  readonly item: Item<Input, ExpectedOutput, Metadata>;
  readonly trial?: number;
  readonly outputJson?: string | undefined;
  readonly evaluations?: readonly Evaluation[];
  readonly error?: Failure | undefined;
  readonly contexts?: readonly Context[];
  readonly traceId?: string | undefined;
  readonly traceUrl?: string | undefined;
  readonly startTime?: Date | undefined;
  readonly taskDurationMs?: number | undefined;
  readonly evaluationDurationMs?: number | undefined;
  readonly attempts?: number;
  readonly usage?: Usage | undefined;
  readonly outputMetadataJson?: string | undefined;
}

/** What became of one trial of one item; an item that failed has a result, too. */
export class ItemResult<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson, Output = AnyJson> {
  /** The item. */
  readonly item: Item<Input, ExpectedOutput, Metadata>;
  /** Which trial of the item, from 1. */
  readonly trial: number;
  /** What the task answered, as JSON text; undefined if it failed. */
  readonly outputJson: string | undefined;
  /** In the order of the spec's evaluators, the composite evaluator's last. */
  readonly evaluations: readonly Evaluation[];
  /** Why the task failed; undefined if it did not. */
  readonly error: Failure | undefined;
  /** The passages that the task used, in its order. */
  readonly contexts: readonly Context[];
  /** The trace of this trial, 32 hexadecimal digits. */
  readonly traceId: string | undefined;
  /** The trace in Langfuse. */
  readonly traceUrl: string | undefined;
  /** When the last attempt began. */
  readonly startTime: Date | undefined;
  /** How long the last attempt took, in milliseconds, without queueing and back-off. */
  readonly taskDurationMs: number | undefined;
  /** How long all evaluators of the item took together, in milliseconds by the clock. */
  readonly evaluationDurationMs: number | undefined;
  /** How often the task was called. */
  readonly attempts: number;
  /** What the task's models took. */
  readonly usage: Usage | undefined;
  /** Metadata that the task gave with its output, a JSON object as text. */
  readonly outputMetadataJson: string | undefined;
  readonly #output: () => unknown;
  readonly #outputMetadata: () => unknown;

  /**
   * @param fields - what it holds
   * @param parse - how documents are parsed
   */
  constructor(fields: ItemResultFields<Input, ExpectedOutput, Metadata>, parse: Parse = JSON.parse) {
    this.item = fields.item;
    this.trial = fields.trial ?? 1;
    this.outputJson = fields.outputJson;
    this.evaluations = fields.evaluations ?? [];
    this.error = fields.error;
    this.contexts = fields.contexts ?? [];
    this.traceId = fields.traceId;
    this.traceUrl = fields.traceUrl;
    this.startTime = fields.startTime;
    this.taskDurationMs = fields.taskDurationMs;
    this.evaluationDurationMs = fields.evaluationDurationMs;
    this.attempts = fields.attempts ?? 0;
    this.usage = fields.usage;
    this.outputMetadataJson = fields.outputMetadataJson;
    this.#output = parsedOnce(this.outputJson, parse);
    this.#outputMetadata = parsedOnce(this.outputMetadataJson, parse);
  }

  /** What the task answered; undefined if it failed. */
  get output(): Output | undefined {
    return this.#output() as Output | undefined;
  }

  /** Metadata that the task gave with its output; undefined if there is none. */
  get outputMetadata(): AnyJson {
    return this.#outputMetadata();
  }
}
