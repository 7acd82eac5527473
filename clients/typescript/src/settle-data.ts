import { create } from '@bufbuild/protobuf';
import type { ExperimentSpec } from './gen/evalrpc/v1/experiment_spec_pb.js';
import { ItemListSchema, type Item as ItemMessage } from './gen/evalrpc/v1/item_pb.js';
import type { Upload } from './model/evaluators.js';
import { datasetMessage, isItems, itemMessages, type Data, type SizedItem } from './spec/data.js';

/** Up to this size items travel in the request itself, which must stay below 4 MiB as a whole. */
const MAX_INLINE_BYTES = 2 * 1024 * 1024;

/**
 * Puts data into a spec: a reference as it is; items themselves if they fit into a request, or else the upload of all of
 * them. An iterator is read once.
 */
export async function settleData(
  spec: ExperimentSpec,
  data: Data | undefined,
  upload: (items: AsyncIterable<SizedItem>) => Promise<Upload>,
): Promise<void> {
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
