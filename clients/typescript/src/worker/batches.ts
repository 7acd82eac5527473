import { create, toBinary } from '@bufbuild/protobuf';
import {
  ServeRequestSchema,
  type ServeRequest,
  type ServeResponse,
} from '../gen/evalrpc/v1/worker_service_pb.js';

/** The capability of sides that take several messages as one. */
export const BATCHES = 'batches';

const MOST_BATCHED = 100;
const BATCH_BYTES = 256 * 1024;

/** Returns messages in their order, joined into as few as they fit in. */
export function batched(messages: readonly ServeRequest[]): ServeRequest[] {
  if (messages.length < 2) {
    return [...messages];
  }
  const batches: ServeRequest[][] = [];
  let room = 0;
  for (const message of messages) {
    const bytes = toBinary(ServeRequestSchema, message).byteLength;
    const open = batches.at(-1);
    if (open === undefined || bytes > room || open.length >= MOST_BATCHED) {
      batches.push([message]);
      room = BATCH_BYTES - bytes;
    } else {
      open.push(message);
      room -= bytes;
    }
  }
  return batches.map(joined);
}

/** Returns what a message carries: itself, or the messages of a batch in their order. */
export function unbatched(message: ServeResponse): readonly ServeResponse[] {
  return message.message.case === 'batch' ? message.message.value.responses : [message];
}

function joined(requests: ServeRequest[]): ServeRequest {
  const [only] = requests;
  return requests.length === 1 && only !== undefined
    ? only
    : create(ServeRequestSchema, { message: { case: 'batch', value: { requests } } });
}
