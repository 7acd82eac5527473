import {
  fromJson,
  toJson,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from '@bufbuild/protobuf';
import { DurationSchema, durationFromMs, type Duration } from '@bufbuild/protobuf/wkt';
import { invalidRequest, type InvalidRequestError } from '../errors.js';

/**
 * Reads a message from the JSON form of the contract.
 *
 * @throws {@link InvalidRequestError} if the value does not have the message's form
 */
export function parsed<Schema extends DescMessage>(
  schema: Schema,
  value: unknown,
  path: string,
): MessageShape<Schema> {
  try {
    return fromJson(schema, plain(value));
  } catch (error) {
    throw unreadable(error, path);
  }
}

/**
 * Returns an object as what a field of type `google.protobuf.Struct` takes.
 *
 * @throws {@link InvalidRequestError} if a value has no form in JSON
 */
export function jsonObject(value: object, path: string): JsonObject {
  try {
    return plain(value) as JsonObject;
  } catch (error) {
    throw unreadable(error, path);
  }
}

/** Returns milliseconds as a duration of the contract. */
export function duration(milliseconds: number, path: string): Duration {
  if (!Number.isFinite(milliseconds)) {
    throw invalidRequest([{ path, description: `must be a number of milliseconds, not ${milliseconds}` }]);
  }
  return durationFromMs(milliseconds);
}

/** Returns milliseconds as a duration in the JSON form of the contract, such as "1.5s". */
export function durationText(milliseconds: number): string {
  return toJson(DurationSchema, duration(milliseconds, 'timeoutMs'));
}

/** Returns a value as plain JSON: members that are undefined are left out, and what JSON has no form for is refused. */
function plain(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value, refuseUnwritable)) as JsonValue;
}

function unreadable(error: unknown, path: string): InvalidRequestError {
  const message = error instanceof Error ? error.message : String(error);
  return invalidRequest([{ path, description: message.replace(/\bevalrpc\.v1\./g, '') }], error);
}

function refuseUnwritable(key: string, value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'bigint' || typeof value === 'symbol') {
    throw new TypeError(`${key} must be JSON, not a ${typeof value}`);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`${key} must be a finite number`);
  }
  return value;
}
