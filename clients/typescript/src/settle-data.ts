import { create } from '@bufbuild/protobuf';
import { invalidRequest } from './errors.js';
import type { ExperimentSpec } from './gen/evalrpc/v1/experiment_spec_pb.js';
import { ItemListSchema, type Item as ItemMessage } from './gen/evalrpc/v1/item_pb.js';
import { DatasetItem } from './model/dataset.js';
import type { Upload } from './model/evaluators.js';
import {
  datasetMessage,
  isItems,
  itemMessages,
  type Data,
  type LangfuseDataset,
  type SizedItem,
} from './spec/data.js';

/** Up to this size items travel in the request itself, which must stay below 4 MiB as a whole. */
const MAX_INLINE_BYTES = 2 * 1024 * 1024;

/**
 * Puts data into a spec: a reference as it is; items themselves if they fit into a request, or else the upload of all of
 * them. An iterator is read once.
 */
export async function settleData(
  spec: ExperimentSpec,
  given: Data | undefined,
  upload: (items: AsyncIterable<SizedItem>) => Promise<Upload>,
): Promise<void> {
  const data = datasetOf(given) ?? given;
  if (data === undefined) {
    return;
  }
  if (typeof data === 'string') {
    spec.data = { case: 'upload', value: data };
  } else if (isItems(data)) {
    spec.data = await settledItems(itemMessages(data), upload);
  } else if ('name' in data) {
    spec.data = { case: 'langfuseDataset', value: datasetMessage(data, 'experiment.langfuse_dataset') };
  } else {
    spec.data = { case: 'upload', value: data.id };
  }
}

/**
 * Returns the selection from a dataset that an array of its items stands for; undefined for other data.
 *
 * @throws {@link InvalidRequestError} if the items are of several datasets or versions, or only some are of a dataset
 */
function datasetOf(data: Data | undefined): LangfuseDataset | undefined {
  if (!Array.isArray(data) || !data.some((each) => each instanceof DatasetItem)) {
    return undefined;
  }
  const items = data.filter((each) => each instanceof DatasetItem);
  const [{ datasetName: name, datasetVersion: version }] = items as [DatasetItem];
  const isOfOne = items.every(
    (each) => each.datasetName === name && each.datasetVersion?.getTime() === version?.getTime(),
  );
  if (items.length < data.length || !isOfOne) {
    const description = 'must be items of one dataset in one version, or none of any dataset';
    throw invalidRequest([{ path: 'data', description }]);
  }
  return { name, version, itemIds: items.map(({ id }) => id) };
}

async function settledItems(
  items: AsyncGenerator<SizedItem, undefined>,
  upload: (items: AsyncIterable<SizedItem>) => Promise<Upload>,
): Promise<ExperimentSpec['data']> {
  const first: SizedItem[] = [];
  let bytes = 0;
  // Not `for await`, which would close the items before the rest of them is uploaded.
  for (let next = await items.next(); next.done !== true; next = await items.next()) {
    first.push(next.value);
    bytes += next.value.bytes;
    if (bytes > MAX_INLINE_BYTES) {
      return { case: 'upload', value: (await upload(chained(first, items))).id };
    }
  }
  const messages: ItemMessage[] = first.map((item) => item.message);
  return { case: 'items', value: create(ItemListSchema, { items: messages }) };
}

async function* chained(
  first: readonly SizedItem[],
  rest: AsyncIterable<SizedItem>,
): AsyncGenerator<SizedItem, undefined> {
  yield* first;
  yield* rest;
}
