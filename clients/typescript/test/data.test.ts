import { describe, expect } from 'vitest';
import {
  Client,
  DatasetItem,
  InvalidRequestError,
  parseExact,
  rawJson,
  type RunOptions,
} from '@evalrpc/client';
import { CAPITALS, quiz, rejection, test } from './support/fixtures.js';

describe('documents', () => {
  const DOCUMENTS = [
    3,
    0.1,
    1e300,
    true,
    '',
    'Zürich 😀',
    'null',
    [],
    {},
    { a: [1, null, { b: '\u2028' }] },
    null,
  ];

  test('come back as they went', async ({ client, app }) => {
    const data = DOCUMENTS.map((input) => ({ input, expectedOutput: input, metadata: { m: input } }));
    const { itemResults } = await client.run({ name: 'exact', data, task: app.task }).result();
    expect(itemResults.map((each) => each.output)).toEqual(DOCUMENTS);
    expect(itemResults.map((each) => each.item.expectedOutput)).toEqual(DOCUMENTS);
    expect(itemResults.map((each) => each.item.metadata?.m)).toEqual(DOCUMENTS);
  });

  test('keep integers of any size as bigints, if asked to', async ({ client, app }) => {
    const input = { big: 12345678901234567890n, list: [-9007199254740993n, 9007199254740991, 1.5] };
    using exact = new Client({ address: client.address, parse: parseExact });
    const { itemResults } = await exact.run({ name: 'bigints', data: [{ input }], task: app.task }).result();
    expect(itemResults[0]!.item.input).toEqual(input);
    expect(itemResults[0]!.output).toEqual(input);
    expect(itemResults[0]!.item.inputJson).toBe(
      '{"big":12345678901234567890,"list":[-9007199254740993,9007199254740991,1.5]}',
    );
  });

  test('of raw JSON keep their bytes', async ({ client, app }) => {
    const text = '{"price": 1.10, "big": 12345678901234567890.000}';
    const { itemResults } = await client
      .run({ name: 'raw', data: [{ input: rawJson(text) }], task: app.task })
      .result();
    expect(itemResults[0]!.item.inputJson).toBe(text);
  });

  test('tell null from nothing', async ({ client, app }) => {
    const data = [
      { input: null },
      { input: 1, expectedOutput: undefined },
      { input: 2, expectedOutput: null },
    ];
    const { itemResults } = await client.run({ name: 'nulls', data, task: app.task }).result();
    expect(itemResults.map((each) => each.outputJson)).toEqual(['null', '1', '2']);
    expect(itemResults.map((each) => each.output)).toEqual([null, 1, 2]);
    expect(itemResults.map((each) => each.item.expectedOutput)).toEqual([undefined, undefined, null]);
  });

  test('of one mebibyte travel', async ({ client, app }) => {
    const input = 'x'.repeat(1024 * 1024 - 2);
    const data = [1, 2].map(() => ({ input, expectedOutput: input, metadata: { m: input.slice(8) } }));
    const { itemResults } = await client.run({ name: 'largest', data, task: app.task }).result();
    expect(itemResults.map((each) => each.output === input)).toEqual([true, true]);
  });
});

describe('data', () => {
  test('may come from an iterator', async ({ client, app }) => {
    async function* numbers() {
      for (let input = 0; input < 5; input++) {
        yield { input };
      }
    }
    const { itemResults } = await client.run({ name: 'iterator', data: numbers(), task: app.task }).result();
    expect(itemResults.map((each) => each.output)).toEqual([0, 1, 2, 3, 4]);
  });

  test('too large for a request is uploaded', async ({ client, app }) => {
    const data = Array.from({ length: 12 }, (_, index) => ({ input: `${index}-${'x'.repeat(500_000)}` }));
    const result = await client.run({ name: 'large', data, task: app.task }).result();
    expect(result.experiment.spec.upload).toBeTruthy();
    expect(result.itemResults.map((each) => each.output)).toEqual(data.map((item) => item.input));
  });

  test('of an upload serves many experiments', async ({ client, app }) => {
    const upload = await client.upload(CAPITALS, { description: 'capitals' });
    expect(upload.itemCount).toBe(3);
    for (const data of [upload, upload.id]) {
      expect((await client.run(quiz(app, { data })).result()).itemResults).toHaveLength(3);
    }
  });

  test('whose source fails leaves nothing and tells the cause', async ({ client }) => {
    function* broken() {
      yield { input: 'x'.repeat(1_000_000) };
      yield { input: 'x'.repeat(1_000_000) };
      throw new RangeError('the database went away');
    }
    await expect(client.upload(broken())).rejects.toThrow(new RangeError('the database went away'));
    expect((await client.upload([{ input: 1 }])).itemCount).toBe(1);
  });

  test('without an end stops when the server refuses it, and its source is closed', async ({ client }) => {
    let closed = false;
    function* endless() {
      try {
        for (;;) {
          yield { id: 'same', input: 'x'.repeat(1000) };
        }
      } finally {
        closed = true;
      }
    }
    const error = await rejection(client.upload(endless()));
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect((error as InvalidRequestError).violations.map((each) => each.path)).toContain('items.items[1].id');
    await expect.poll(() => closed).toBe(true);
  });

  test('with a misspelt key is refused before anything is sent', async ({ client, app }) => {
    const data = [{ input: 1 }, { input: 2, expected_output: 3 }];
    const error = await rejection(client.run({ name: 'typo', data, task: app.task }).result());
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect(String(error)).toContain('data[1].expected_output');
  });

  test('that is not JSON is refused before anything is sent', async ({ client, app }) => {
    for (const input of [NaN, { a: Infinity }, () => 1, Symbol('x')]) {
      const error = await rejection(client.run({ name: 'x', data: [{ input }], task: app.task }).result());
      expect(error).toBeInstanceOf(InvalidRequestError);
      expect((error as InvalidRequestError).violations[0]!.path).toBe('data[0].input');
    }
  });
});

describe('items of datasets', () => {
  const item = (datasetName: string) => new DatasetItem({ id: 'a', datasetId: 'd', datasetName });

  test('are of one dataset, and come as an array', async ({ client }) => {
    const run = (data: RunOptions['data']) => client.run({ name: 'Mixed', data, task: () => 1 }).result();
    for (const data of [
      [item('one'), item('two')],
      [item('one'), { input: 1 }],
    ]) {
      expect(String(await rejection(run(data)))).toContain('items of one dataset');
    }
    expect(String(await rejection(run([item('one')].values())))).toContain('give such items as an array');
  });
});
