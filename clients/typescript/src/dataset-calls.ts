import type { Client as ServiceClient } from '@connectrpc/connect';
import { timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Connection } from './connection.js';
import { failureFromMessage, textOrNone, valueMessage } from './convert/evaluations.js';
import { documentText, encodeDocument, type AnyJson, type Parse } from './documents.js';
import { errorFromCall } from './error-mapping.js';
import { invalidRequest } from './errors.js';
import type {
  Dataset as DatasetMessage,
  DatasetItem as DatasetItemMessage,
} from './gen/evalrpc/v1/dataset_pb.js';
import { DatasetService, ScoreDelivery } from './gen/evalrpc/v1/dataset_service_pb.js';
import { JsonEncoding, type Json } from './gen/evalrpc/v1/json_pb.js';
import { DatasetItem, type Dataset, type DatasetItemLink, type ScoreReceipt } from './model/dataset.js';
import type { EvaluationValue } from './model/evaluation.js';
import { datasetMessage, type LangfuseDataset } from './spec/data.js';
import { jsonObject } from './spec/parsing.js';

/** Which Langfuse project is meant. */
export interface ProjectOptions {
  /** The project, by its name in the server's configuration. Default: the only one there. */
  readonly langfuseProject?: string | undefined;
}

/** What ties a trace of the caller's own to a dataset item, as part of a run. */
export interface LinkOptions extends ProjectOptions {
  /** The dataset's name. */
  readonly datasetName: string;
  /** The dataset item's id. */
  readonly datasetItemId: string;
  /** The run that the trace is part of; it comes into being with its first trace. */
  readonly runName: string;
  /** What the run is about. */
  readonly runDescription?: string;
  /** Facts about the run. */
  readonly runMetadata?: Readonly<Record<string, AnyJson>>;
  /** The trace, 32 hexadecimal digits. */
  readonly traceId: string;
  /** The observation that stands for the item's result, 16 hexadecimal digits. */
  readonly observationId: string;
  /** The version of the dataset that the item was read from. */
  readonly datasetVersion?: Date;
}

/** One score to write to Langfuse: of a trace, of an observation in it, or of a dataset run. */
export interface Score {
  /** Its id; one written twice under the same id exists once. Default: derived from the content. */
  readonly id?: string;
  /** Its name. */
  readonly name: string;
  /** Its value. */
  readonly value: EvaluationValue;
  /** The trace, 32 hexadecimal digits. */
  readonly traceId?: string;
  /** The observation in the trace, 16 hexadecimal digits. */
  readonly observationId?: string;
  /** The dataset run, where no trace is scored. */
  readonly datasetRunId?: string;
  /** An explanation. */
  readonly comment?: string;
  /** Further facts. */
  readonly metadata?: Readonly<Record<string, AnyJson>>;
  /** The id of the score config that the value obeys. */
  readonly configId?: string;
  /** When the verdict was reached. Default: now. */
  readonly time?: Date;
  /** The environment, which should be that of the trace. */
  readonly environment?: string;
}

/** How scores are written. */
export interface CreateScoresOptions extends ProjectOptions {
  /** Whether to wait until Langfuse has answered for each. Default: not to; they are delivered later. */
  readonly wait?: boolean;
}

const jsonEncoding = JsonEncoding.TEXT;

/** Calls of `DatasetService` that need Langfuse. */
export class DatasetCalls {
  readonly #connection: Connection;
  readonly #service: ServiceClient<typeof DatasetService>;
  readonly #parse: Parse;

  constructor(connection: Connection, parse: Parse) {
    this.#connection = connection;
    this.#service = connection.service(DatasetService);
    this.#parse = parse;
  }

  async get(name: string, { langfuseProject = '' }: ProjectOptions): Promise<Dataset> {
    const request = { name, langfuseProject, jsonEncoding };
    const { dataset } = await this.#connection.call((call) => this.#service.getDataset(request, call));
    if (dataset === undefined) {
      throw new TypeError('the server sent no dataset');
    }
    return this.#dataset(dataset);
  }

  async *items<I, E, M>(
    dataset: LangfuseDataset,
    { langfuseProject = '' }: ProjectOptions,
  ): AsyncGenerator<DatasetItem<I, E, M>, undefined> {
    const langfuseDataset = datasetMessage(dataset, 'langfuse_dataset');
    const closing = new AbortController();
    const request = { langfuseDataset, langfuseProject, jsonEncoding };
    try {
      const options = { timeoutMs: 0, signal: closing.signal };
      for await (const { item } of this.#service.listDatasetItems(request, options)) {
        if (item !== undefined) {
          yield this.#item(item, dataset);
        }
      }
    } catch (thrown) {
      throw errorFromCall(thrown, this.#connection.address);
    } finally {
      closing.abort();
    }
  }

  async link(options: LinkOptions): Promise<DatasetItemLink> {
    const { datasetName, datasetItemId, runName, runDescription, runMetadata, traceId, observationId } =
      options;
    const request = {
      langfuseProject: options.langfuseProject ?? '',
      datasetName,
      datasetItemId,
      runName,
      traceId,
      observationId,
      runDescription: runDescription ?? '',
      ...(runMetadata && { runMetadata: jsonObject(runMetadata, 'runMetadata') }),
      ...(options.datasetVersion && { datasetVersion: timestampFromDate(options.datasetVersion) }),
    };
    const answer = await this.#connection.call((call) => this.#service.linkDatasetItem(request, call), {
      repeatable: false, // Langfuse may make a second run item
    });
    return {
      datasetRunId: answer.datasetRunId,
      datasetRunItemId: textOrNone(answer.datasetRunItemId),
      spanAttributes: answer.spanAttributes,
      url: textOrNone(answer.url),
    };
  }

  async createScores(scores: readonly Score[], options: CreateScoresOptions): Promise<ScoreReceipt[]> {
    const request = {
      scores: scores.map(scoreMessage),
      langfuseProject: options.langfuseProject ?? '',
      wait: options.wait ?? false,
    };
    // Safe to repeat: a score's id is given or derived from its content.
    const answer = await this.#connection.call((call) => this.#service.createScores(request, call));
    return answer.receipts.map(({ id, delivery, error }) => ({
      id,
      delivery: (ScoreDelivery[delivery] as ScoreReceipt['delivery'] | undefined) ?? 'UNSPECIFIED',
      error: error && failureFromMessage(error),
    }));
  }

  #dataset(message: DatasetMessage): Dataset {
    return {
      id: message.id,
      name: message.name,
      description: textOrNone(message.description),
      metadata: this.#document(message.metadata),
      inputSchema: this.#document(message.inputSchema),
      expectedOutputSchema: this.#document(message.expectedOutputSchema),
      createTime: message.createTime && timestampDate(message.createTime),
      updateTime: message.updateTime && timestampDate(message.updateTime),
      url: textOrNone(message.url),
    };
  }

  #document(message: Json | undefined): unknown {
    const text = documentText(message);
    return text === undefined ? undefined : this.#parse(text);
  }

  #item<I, E, M>(message: DatasetItemMessage, dataset: LangfuseDataset): DatasetItem<I, E, M> {
    return new DatasetItem(
      {
        id: message.id,
        datasetId: message.datasetId,
        datasetName: dataset.name,
        datasetVersion: dataset.version,
        inputJson: documentText(message.input),
        expectedOutputJson: documentText(message.expectedOutput),
        metadataJson: documentText(message.metadata),
        sourceTraceId: textOrNone(message.sourceTraceId),
        sourceObservationId: textOrNone(message.sourceObservationId),
        createTime: message.createTime && timestampDate(message.createTime),
        updateTime: message.updateTime && timestampDate(message.updateTime),
      },
      this.#parse,
    );
  }
}

function scoreMessage(score: Score, index: number) {
  const { traceId, observationId, datasetRunId } = score;
  if ((traceId === undefined) === (datasetRunId === undefined)) {
    const description = 'needs either a traceId or a datasetRunId';
    throw invalidRequest([{ path: `scores[${index}]`, description }]);
  }
  return {
    id: score.id ?? '',
    name: score.name,
    subject:
      traceId === undefined
        ? ({ case: 'datasetRunId', value: datasetRunId ?? '' } as const)
        : ({ case: 'trace', value: { traceId, observationId: observationId ?? '' } } as const),
    value: valueMessage(score.value),
    comment: score.comment ?? '',
    ...(score.metadata && {
      metadata: { kind: { case: 'text', value: encodeDocument(score.metadata) } as const },
    }),
    configId: score.configId ?? '',
    ...(score.time && { time: timestampFromDate(score.time) }),
    environment: score.environment ?? '',
  };
}
