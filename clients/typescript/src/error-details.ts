import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { Violation } from './errors.js';

/** The type names of the details that an evalrpc server sends (AIP-193). */
const ERROR_INFO = 'google.rpc.ErrorInfo';
const BAD_REQUEST = 'google.rpc.BadRequest';
const RETRY_INFO = 'google.rpc.RetryInfo';

/** A detail of a status as it came: the message's type and its bytes. */
export interface SerializedDetail {
  readonly type: string;
  readonly value: Uint8Array;
}

/** What the details of a status say. */
export interface StatusDetails {
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly Violation[];
  readonly retryAfterMs: number | undefined;
}

/**
 * Reads the details of a status. They are messages of google/rpc/error_details.proto, of which the contract uses five
 * fields; those are read here by their numbers. Details of other types are passed over.
 */
export function readStatusDetails(details: readonly SerializedDetail[]): StatusDetails {
  let reason: string | undefined;
  let metadata: Record<string, string> = {};
  let violations: Violation[] = [];
  let retryAfterMs: number | undefined;
  for (const { type, value } of details) {
    const fields = readFields(value);
    if (type === ERROR_INFO) {
      reason = text(fields, 1);
      metadata = Object.fromEntries(
        (fields.get(3) ?? []).map((entry) => {
          const pair = readFields(entry as Uint8Array);
          return [text(pair, 1), text(pair, 2)];
        }),
      );
    } else if (type === BAD_REQUEST) {
      violations = (fields.get(1) ?? []).map((entry) => {
        const violation = readFields(entry as Uint8Array);
        return { path: text(violation, 1), description: text(violation, 2) };
      });
    } else if (type === RETRY_INFO) {
      const delay = fields.get(1)?.[0];
      retryAfterMs = delay instanceof Uint8Array ? durationMs(readFields(delay)) : undefined;
    }
  }
  return { reason, metadata, violations, retryAfterMs };
}

type Fields = Map<number, (Uint8Array | bigint)[]>;

/** Returns the values of a message by field number: bytes where they are length-delimited, integers where varints. */
function readFields(message: Uint8Array): Fields {
  const reader = new BinaryReader(message);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type !== WireType.LengthDelimited && type !== WireType.Varint) {
      reader.skip(type, number);
      continue;
    }
    const value = type === WireType.Varint ? BigInt(reader.int64()) : reader.bytes();
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function text(fields: Fields, number: number): string {
  const value = fields.get(number)?.at(-1);
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : '';
}

function durationMs(fields: Fields): number {
  const [seconds, nanos] = [1, 2].map((number) => Number(fields.get(number)?.at(-1) ?? 0n));
  return (seconds ?? 0) * 1000 + (nanos ?? 0) / 1e6;
}
