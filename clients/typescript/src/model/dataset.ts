import { type AnyJson, type Parse, parsedOnce } from '../documents.js';
import type { Failure } from './evaluation.js';

/** A dataset in Langfuse. */
export interface Dataset {
  /** Its id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** What it is. */
  readonly description: string | undefined;
  /** Facts about it; undefined if there are none. */
  readonly metadata: AnyJson;
  /** The JSON Schema of its inputs; undefined if there is none. */
  readonly inputSchema: AnyJson;
  /** The JSON Schema of its expected outputs; undefined if there is none. */
  readonly expectedOutputSchema: AnyJson;
  /** When it was made. */
  readonly createTime: Date | undefined;
  /** When it was last changed. */
  readonly updateTime: Date | undefined;
  /** Its page in Langfuse. */
  readonly url: string | undefined;
}

/** The fields of a {@link DatasetItem}. */
export interface DatasetItemFields {
  readonly id: string;
  readonly datasetId: string;
  readonly datasetName: string;
  readonly datasetVersion?: Date | undefined;
  readonly inputJson?: string | undefined;
  readonly expectedOutputJson?: string | undefined;
  readonly metadataJson?: string | undefined;
  readonly sourceTraceId?: string | undefined;
  readonly sourceObservationId?: string | undefined;
  readonly createTime?: Date | undefined;
  readonly updateTime?: Date | undefined;
}

/** One item of a dataset in Langfuse. Documents are kept as JSON text and parsed on first use. */
export class DatasetItem<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson> {
  /** Its id. */
  readonly id: string;
  /** The id of its dataset. */
  readonly datasetId: string;
  /** The name of its dataset. */
  readonly datasetName: string;
  /** The time as of which the dataset was read; undefined for the latest. */
  readonly datasetVersion: Date | undefined;
  /** The input as JSON text. */
  readonly inputJson: string | undefined;
  /** The expected output as JSON text; undefined if there is none. */
  readonly expectedOutputJson: string | undefined;
  /** Facts about it, as JSON text. */
  readonly metadataJson: string | undefined;
  /** The trace that it was made from. */
  readonly sourceTraceId: string | undefined;
  /** The observation that it was made from. */
  readonly sourceObservationId: string | undefined;
  /** When it was made. */
  readonly createTime: Date | undefined;
  /** When it was last changed. */
  readonly updateTime: Date | undefined;
  readonly #input: () => unknown;
  readonly #expectedOutput: () => unknown;
  readonly #metadata: () => unknown;

  /**
   * @param fields - what it holds
   * @param parse - how documents are parsed
   */
  constructor(fields: DatasetItemFields, parse: Parse = JSON.parse) {
    this.id = fields.id;
    this.datasetId = fields.datasetId;
    this.datasetName = fields.datasetName;
    this.datasetVersion = fields.datasetVersion;
    this.inputJson = fields.inputJson;
    this.expectedOutputJson = fields.expectedOutputJson;
    this.metadataJson = fields.metadataJson;
    this.sourceTraceId = fields.sourceTraceId;
    this.sourceObservationId = fields.sourceObservationId;
    this.createTime = fields.createTime;
    this.updateTime = fields.updateTime;
    this.#input = parsedOnce(this.inputJson, parse);
    this.#expectedOutput = parsedOnce(this.expectedOutputJson, parse);
    this.#metadata = parsedOnce(this.metadataJson, parse);
  }

  /** Its input; undefined if there is none. */
  get input(): Input {
    return this.#input() as Input;
  }

  /** Its expected output; undefined if there is none. */
  get expectedOutput(): ExpectedOutput | undefined {
    return this.#expectedOutput() as ExpectedOutput | undefined;
  }

  /** Facts about it; undefined if there are none. */
  get metadata(): Metadata | undefined {
    return this.#metadata() as Metadata | undefined;
  }
}

/** What ties a trace to a dataset item. */
export interface DatasetItemLink {
  /** The id of the dataset run, which is the experiment's id in Langfuse; run scores go to it. */
  readonly datasetRunId: string;
  /** The id of the dataset run item; undefined if this Langfuse has none. */
  readonly datasetRunItemId: string | undefined;
  /** The attributes to set on every span of the trace. */
  readonly spanAttributes: Readonly<Record<string, string>>;
  /** The run's page in Langfuse. */
  readonly url: string | undefined;
}

/** What became of a score. */
export interface ScoreReceipt {
  /** The score's id, given or by default. */
  readonly id: string;
  /** How far it is on its way to Langfuse. */
  readonly delivery: 'QUEUED' | 'ACCEPTED' | 'REJECTED' | 'UNSPECIFIED';
  /** Why Langfuse refused it, or what has kept it so far. */
  readonly error: Failure | undefined;
}
