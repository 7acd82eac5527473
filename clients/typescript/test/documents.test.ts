import { describe, expect, test } from 'vitest';
import { parseExact, rawJson } from '@evalrpc/client';
import { encodeDocument } from '../src/documents.js';

describe('parseExact()', () => {
  test('reads integers beyond 2^53 as bigints, and all else as JSON.parse does', () => {
    const text =
      '[9007199254740991, 9007199254740993, -9007199254740993, 1e400, 12345678901234567890.5, 1E2, ' +
      '"9007199254740993", "\\"9007199254740993", {"9007199254740993": 0.1234567890123456789}, null, true]';
    const expected = JSON.parse(text) as unknown[];
    expected[1] = 9007199254740993n;
    expected[2] = -9007199254740993n;
    expect(parseExact(text)).toEqual(expected);
  });

  test('refuses what is not JSON', () => {
    for (const text of ['', '{', '[1,]', '9007199254740993x', '01']) {
      expect(() => parseExact(text)).toThrow(SyntaxError);
    }
  });
});

describe('a document', () => {
  test('is written as JSON', () => {
    expect(encodeDocument({ a: [1n, 2n ** 70n, 'bigint:1'], b: undefined, c: new Date(0) })).toBe(
      '{"a":[1,1180591620717411303424,"bigint:1"],"c":"1970-01-01T00:00:00.000Z"}',
    );
    expect(encodeDocument(undefined)).toBe('null');
    expect(encodeDocument('\ud800')).toBe('"\\ud800"'); // a half of a surrogate pair is not UTF-8
    expect(encodeDocument(rawJson(' [1.0] '))).toBe(' [1.0] ');
  });

  test('that JSON has no form for is refused', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    for (const value of [NaN, [Infinity], cycle, () => 1, Symbol('x')]) {
      expect(() => encodeDocument(value)).toThrow(TypeError);
    }
  });
});
