import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import {
  ServeRequestSchema,
  ServeResponseSchema,
  type ServeRequest,
} from '../src/gen/evalrpc/v1/worker_service_pb.js';
import { batched, unbatched } from '../src/worker/batches.js';

const report = (taskToken: string, size = 0): ServeRequest =>
  create(ServeRequestSchema, {
    message: {
      case: 'report',
      value: {
        taskToken,
        outcome: { case: 'task', value: { output: { kind: { case: 'text', value: 'x'.repeat(size) } } } },
      },
    },
  });

function tokens(message: ServeRequest): string[] {
  const { value, case: kind } = message.message;
  if (kind === 'batch') {
    return value.requests.flatMap(tokens);
  }
  return kind === 'report' ? [value.taskToken] : [];
}

test('batches keep the order and fit into messages', () => {
  const messages = Array.from({ length: 100 }, (_, number) => report(String(number), number * 1000));
  const batches = batched(messages);
  expect(batches.flatMap(tokens)).toEqual(messages.flatMap(tokens));
  expect(batches.length).toBeLessThan(40); // 5 MB in parts of at most 256 KiB
  for (const batch of batches) {
    expect(toBinary(ServeRequestSchema, batch).byteLength).toBeLessThan(300 * 1024);
  }
  expect(batched(Array.from({ length: 250 }, () => report('t')))).toHaveLength(3);
});

test('a message alone needs no batch, nor does one that is too large for company', () => {
  const [small, large] = [report('small'), report('large', 1_000_000)];
  expect(batched([])).toEqual([]);
  expect(batched([small])).toEqual([small]);
  expect(batched([small, large, small])).toEqual([small, large, small]);
});

test('a batch carries its messages, and any other message itself', () => {
  const ack = create(ServeResponseSchema, { message: { case: 'ack', value: { taskToken: 't' } } });
  const batch = create(ServeResponseSchema, { message: { case: 'batch', value: { responses: [ack, ack] } } });
  expect(unbatched(batch)).toEqual([ack, ack]);
  expect(unbatched(ack)).toEqual([ack]);
});
