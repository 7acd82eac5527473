import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { encodeDocument, type AnyJson, type RawJson } from '../documents.js';
import { invalidRequest } from '../errors.js';
import { ItemSchema, type Item as ItemMessage } from '../gen/evalrpc/v1/item_pb.js';
import type { JsonSchema } from '../gen/evalrpc/v1/json_pb.js';
import {
  LangfuseDatasetSchema,
  type LangfuseDataset as DatasetMessage,
} from '../gen/evalrpc/v1/langfuse_pb.js';
import { DatasetItem } from '../model/dataset.js';
import type { Upload } from '../model/evaluators.js';
import { parsed } from './parsing.js';

/** One item of the data, as the caller gives it. */
export interface ItemInput<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson> {
  /** Identifies the item within its data. Default: derived from the input. */
  readonly id?: string | undefined;
  /** What the task gets. */
  readonly input: Input | RawJson;
  /** What a right output looks like. Undefined means that there is none; null is an expected output of its own. */
  readonly expectedOutput?: ExpectedOutput | RawJson | undefined;
  /** Facts about the item, an object. */
  readonly metadata?: Metadata | RawJson | null | undefined;
}

/** A dataset in Langfuse, and which of its items; the server reads it. The selection applies in this order. */
export interface LangfuseDataset {
  /** The dataset's name. */
  readonly name: string;
  /** The dataset as it was at this time. */
  readonly version?: Date | undefined;
  /** Only these items. */
  readonly itemIds?: readonly string[] | undefined;
  /** Only items whose metadata has these members with these values. */
  readonly metadataEquals?: Readonly<Record<string, AnyJson>> | undefined;
  /** Put them into a random order, the same for the same seed. */
  readonly shuffleSeed?: number | undefined;
  /** Take a random sample of so many. */
  readonly sampleSize?: number | undefined;
  /** The same seed gives the same sample. */
  readonly sampleSeed?: number | undefined;
  /** Take at most so many. */
  readonly limit?: number | undefined;
}

/** Items of any number, read once and only as fast as they are sent. */
export type Items<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson> =
  | Iterable<ItemInput<Input, ExpectedOutput, Metadata>>
  | AsyncIterable<ItemInput<Input, ExpectedOutput, Metadata>>;

/** What the inputs of items are, for items of one type or of several. */
export type InputOf<Source extends ItemInput> = Source extends unknown
  ? Exclude<Source['input'], RawJson>
  : never;

/** What the expected outputs of items are. */
export type ExpectedOutputOf<Source extends ItemInput> = Source extends unknown
  ? Exclude<Source['expectedOutput'], RawJson | undefined>
  : never;

/** What the metadata of items is. */
export type MetadataOf<Source extends ItemInput> = Source extends unknown
  ? Exclude<Source['metadata'], RawJson | null | undefined>
  : never;

/** Data: items, an upload or its id, or a dataset in Langfuse. */
export type Data<Input = AnyJson, ExpectedOutput = AnyJson, Metadata = AnyJson> =
  Items<Input, ExpectedOutput, Metadata> | DataReference;

/** Data that the server has or finds: an upload or its id, or a dataset in Langfuse. */
export type DataReference = Upload | string | LangfuseDataset;

const KEYS = new Set(['id', 'input', 'expectedOutput', 'metadata']);

/** An item as the contract's message, with its size in bytes, near enough. */
export interface SizedItem {
  readonly message: ItemMessage;
  readonly bytes: number;
}

/**
 * Yields items as the contract's messages, one at a time.
 *
 * @throws {@link InvalidRequestError} if an item has an unknown key or a value that is not JSON; the path has its index
 */
export async function* itemMessages(items: Items): AsyncGenerator<SizedItem, undefined> {
  let index = 0;
  for await (const item of items) {
    yield itemMessage(item, index);
    index++;
  }
}

/** Tells items from the references to data that the server has or finds. */
export function isItems(data: Data): data is Items {
  return typeof data === 'object' && (Symbol.iterator in data || Symbol.asyncIterator in data);
}

/** Returns a dataset as the contract's message. */
export function datasetMessage(dataset: LangfuseDataset, path: string): DatasetMessage {
  const { shuffleSeed, sampleSize, sampleSeed } = dataset;
  const message = parsed(
    LangfuseDatasetSchema,
    {
      name: dataset.name,
      itemIds: dataset.itemIds ?? [],
      metadataEquals: dataset.metadataEquals,
      limit: dataset.limit,
      ...(shuffleSeed !== undefined && { shuffle: { seed: shuffleSeed } }),
      ...(sampleSize !== undefined && { sample: { size: sampleSize, seed: sampleSeed ?? 0 } }),
    },
    path,
  );
  if (dataset.version !== undefined) {
    message.version = timestampFromDate(dataset.version);
  }
  return message;
}

function itemMessage(item: ItemInput, index: number): SizedItem {
  const path = `data[${index}]`;
  if (typeof item !== 'object' || (item as unknown) === null) {
    throw invalidRequest([{ path, description: `must be an object with the key input, not ${typeof item}` }]);
  }
  if (item instanceof DatasetItem) {
    throw invalidRequest([{ path, description: 'is an item of a dataset; give such items as an array' }]);
  }
  const unknown = Object.keys(item).filter((key) => !KEYS.has(key));
  if (unknown.length > 0) {
    const description = `is unknown; the keys are ${[...KEYS].join(', ')}`;
    throw invalidRequest(unknown.map((key) => ({ path: `${path}.${key}`, description })));
  }
  const input = document(item.input, `${path}.input`);
  const expectedOutput = document(item.expectedOutput, `${path}.expectedOutput`);
  const metadata = document(item.metadata ?? undefined, `${path}.metadata`);
  const message = create(ItemSchema, {
    id: item.id ?? '',
    ...(input && { input }),
    ...(expectedOutput && { expectedOutput }),
    ...(metadata && { metadata }),
  });
  return {
    message,
    bytes: Buffer.byteLength(message.id) + size(input) + size(expectedOutput) + size(metadata) + 8,
  };
}

type TextInit = MessageInitShape<typeof JsonSchema> & { kind: { case: 'text'; value: string } };

function document(value: unknown, path: string): TextInit | undefined {
  if (value === undefined) {
    return undefined;
  }
  try {
    return { kind: { case: 'text', value: encodeDocument(value) } };
  } catch (error) {
    throw invalidRequest([{ path, description: `cannot be written as JSON: ${String(error)}` }], error);
  }
}

function size(document: TextInit | undefined): number {
  return document === undefined ? 0 : Buffer.byteLength(document.kind.value) + 12;
}
