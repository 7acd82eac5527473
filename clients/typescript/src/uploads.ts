import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { Connection } from './connection.js';
import { errorFromCall } from './error-mapping.js';
import {
  DatasetService,
  UploadItemsRequestSchema,
  type UploadItemsRequest,
} from './gen/evalrpc/v1/dataset_service_pb.js';
import type { Item as ItemMessage } from './gen/evalrpc/v1/item_pb.js';
import type { Upload } from './model/evaluators.js';
import type { SizedItem } from './spec/data.js';

/** A message is closed once it has this size: with one more item of three 1 MiB documents it would still be sent. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Sends items as they come, and only as fast as the server takes them.
 *
 * @throws {@link EvalrpcError} if the server refuses them; whatever their source throws
 */
export async function uploadItems(
  connection: Connection,
  items: AsyncIterable<SizedItem>,
  description: string,
  signal?: AbortSignal,
): Promise<Upload> {
  const source = new Source();
  const messages = source.guarded(chunks(items, description));
  try {
    const service = connection.service(DatasetService);
    const answer = await service.uploadItems(messages, { timeoutMs: 0, ...(signal && { signal }) });
    return { id: answer.uploadId, itemCount: answer.itemCount };
  } catch (thrown) {
    source.rethrow();
    signal?.throwIfAborted();
    throw errorFromCall(thrown, connection.address);
  } finally {
    source.settled = true;
    // Lets the source clean up where the call failed before its end; a source that is still at work ends by itself.
    void messages.return(undefined).catch(() => undefined);
  }
}

/** Where the items come from: whether they are still wanted, and whether they failed by themselves. */
class Source {
  settled = false;
  #failure: { readonly error: unknown } | undefined;

  async *guarded(messages: AsyncIterable<UploadItemsRequest>): AsyncGenerator<UploadItemsRequest, undefined> {
    try {
      for await (const message of messages) {
        if (this.settled) {
          return; // the call has failed; its error says why
        }
        yield message;
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  /** Throws what the source threw, if it did. */
  rethrow(): void {
    if (this.#failure !== undefined) {
      throw this.#failure.error;
    }
  }
}

async function* chunks(
  items: AsyncIterable<SizedItem>,
  description: string,
): AsyncGenerator<UploadItemsRequest, undefined> {
  yield request({ case: 'header', value: { description } });
  let chunk: ItemMessage[] = [];
  let bytes = 0;
  for await (const item of items) {
    if (chunk.length > 0 && bytes + item.bytes > CHUNK_BYTES) {
      yield request({ case: 'items', value: { items: chunk } });
      chunk = [];
      bytes = 0;
    }
    chunk.push(item.message);
    bytes += item.bytes;
  }
  if (chunk.length > 0) {
    yield request({ case: 'items', value: { items: chunk } });
  }
}

type Part = MessageInitShape<typeof UploadItemsRequestSchema>['part'];

function request(part: Part & object): UploadItemsRequest {
  return create(UploadItemsRequestSchema, { part });
}
