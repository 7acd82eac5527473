import { toJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import type { Json } from './gen/evalrpc/v1/json_pb.js';

/** A JSON document, whose shape only the caller knows. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what JSON.parse returns; type parameters narrow it
export type AnyJson = any;

/** Turns JSON text into a value; `JSON.parse` and {@link parseExact} are two. */
export type Parse = (text: string) => unknown;

/** JSON text that is sent byte for byte instead of being encoded again. Made by {@link rawJson}. */
export class RawJson {
  /** @param text - the JSON text */
  constructor(readonly text: string) {}
}

/**
 * Returns JSON text as a document that is sent as it is: digits that a number would lose are kept.
 *
 * @param text - the JSON text
 */
export function rawJson(text: string): RawJson {
  return new RawJson(text);
}

// Stands before the digits of a bigint while the document is built or parsed by the JSON functions of the platform.
const MARK = `bigint:${crypto.randomUUID()}:`;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, 'g');
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;

/**
 * Parses JSON like `JSON.parse`, but integers beyond ±2^53 become bigints instead of being rounded. Give it to a
 * `Client` or a `Worker` as `parse`.
 *
 * @param text - the JSON text
 */
export function parseExact(text: string): unknown {
  const marked = text.replace(STRING_OR_NUMBER, (token) =>
    INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"${MARK}${token}"` : token,
  );
  if (marked.length === text.length) {
    return JSON.parse(text) as unknown;
  }
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  ) as unknown;
}

/**
 * Returns a value as JSON text (RFC 8259), bigints as integers. `undefined` is null, as in a list.
 *
 * @throws TypeError if the value holds a number that is not finite, a cycle, or is a function or a symbol
 */
export function encodeDocument(value: unknown): string {
  if (value instanceof RawJson) {
    return value.text;
  }
  const text = JSON.stringify(value ?? null, (key, member: unknown) => {
    if (typeof member === 'bigint') {
      return `${MARK}${member}`;
    }
    if (typeof member === 'number' && !Number.isFinite(member)) {
      throw new TypeError(`${key === '' ? 'the number' : key} is ${member}, which JSON has no form for`);
    }
    return member;
  }) as string | undefined;
  if (text === undefined) {
    throw new TypeError(`a ${typeof value} is not JSON`);
  }
  return text.includes(MARK) ? text.replace(MARKED, '$1') : text;
}

/** Returns a document's text; undefined for an absent one and for one that holds nothing. */
export function documentText(document: Json | undefined): string | undefined {
  switch (document?.kind.case) {
    case 'text':
      return document.kind.value;
    case 'value':
      return JSON.stringify(toJson(ValueSchema, document.kind.value));
    default:
      return undefined;
  }
}

/** Returns a function that parses a text on its first call and gives the same value on every further one. */
export function parsedOnce(text: string | undefined, parse: Parse): () => unknown {
  let parsed = false;
  let value: unknown;
  return () => {
    if (!parsed && text !== undefined) {
      value = parse(text);
    }
    parsed = true;
    return value;
  };
}
