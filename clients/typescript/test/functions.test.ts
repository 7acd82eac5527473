import { describe, expect } from 'vitest';
import {
  Client,
  parseExact,
  rawJson,
  RetryableError,
  taskOutput,
  type EvaluatorParams,
} from '@evalrpc/client';
import { test } from './support/fixtures.js';

const QUESTIONS = [
  { input: { country: 'France' }, expectedOutput: 'Paris', metadata: { continent: 'Europe' } },
  { input: { country: 'Germany' }, expectedOutput: 'Berlin' },
  { input: { country: 'Atlantis' }, expectedOutput: 'none' },
];
const CAPITALS: Record<string, string> = { France: 'Paris', Germany: 'Bonn' };

describe('functions of the caller', () => {
  test('are the task and all kinds of evaluators', async ({ client }) => {
    const result = await client.experiment.run({
      name: 'Capitals',
      runName: 'local',
      data: QUESTIONS,
      task: async ({ input }) => {
        const capital = CAPITALS[input.country];
        if (capital === undefined) {
          throw new RangeError(`no such country: ${input.country}`);
        }
        return capital;
      },
      evaluators: [
        async function accuracy({ output, expectedOutput, metadata }) {
          return { name: 'accuracy', value: output === expectedOutput ? 1 : 0, comment: metadata?.continent };
        },
        ({ output }) => [
          { name: 'length', value: output.length },
          { name: 'short', value: 1, dataType: 'BOOLEAN' },
        ],
      ],
      compositeEvaluator: function overall({ evaluations }) {
        return evaluations.length;
      },
      runEvaluators: [
        function average({ itemResults }) {
          const values = itemResults
            .flatMap((each) => each.evaluations)
            .filter((each) => each.name === 'accuracy');
          return { value: values.filter((each) => each.value === 1).length / itemResults.length };
        },
      ],
      maxConcurrency: 2,
    });
    const verdicts = result.itemResults.map((each) =>
      each.evaluations.map(({ name, value }) => [name, value]),
    );
    expect(verdicts).toEqual([
      [
        ['accuracy', 1],
        ['length', 5],
        ['short', true],
        ['overall', 3],
      ],
      [
        ['accuracy', 0],
        ['length', 4],
        ['short', true],
        ['overall', 3],
      ],
      [],
    ]);
    expect(result.itemResults[0]!.evaluations[0]!.comment).toBe('Europe');
    expect(result.failedItems[0]!.error).toMatchObject({
      reason: 'TASK_FAILED',
      message: expect.stringContaining('no such country: Atlantis'),
      metadata: { error_type: 'RangeError' },
    });
    expect(result.runEvaluations).toMatchObject([{ name: 'average', value: 1 / 3 }]);
  });

  test('that fail spoil nothing else', async ({ client }) => {
    const result = await client
      .run({
        name: 'Failing',
        data: [{ input: 1 }],
        task: ({ input }) => input,
        evaluators: [
          function broken() {
            throw new TypeError('cannot judge');
          },
          function nothing() {
            return null;
          },
          function unsure() {
            return { value: null, unscored: 'too short' };
          },
          function infinite() {
            return Infinity;
          },
          function wrong() {
            return { value: {} as number };
          },
          function fine() {
            return 'good';
          },
        ],
        runEvaluators: [
          function late() {
            throw new Error('no');
          },
        ],
      })
      .result();
    const [broken, nothing, unsure, infinite, wrong, fine] = result.itemResults[0]!.evaluations;
    expect(broken!.error).toMatchObject({
      reason: 'EVALUATOR_FAILED',
      metadata: { error_type: 'TypeError' },
    });
    expect(nothing).toMatchObject({ value: null, unscored: expect.stringContaining('no value') });
    expect(unsure).toMatchObject({ value: null, unscored: 'too short' });
    expect(infinite!.error?.message).toContain('must be finite');
    expect(wrong!.error?.message).toContain('must be a number');
    expect(fine).toMatchObject({ name: 'fine', value: 'good', error: undefined });
    expect(result.runEvaluations[0]!.error).toMatchObject({ reason: 'EVALUATOR_FAILED' });
  });

  test('may answer with contexts, usage and metadata', async ({ client }) => {
    const seen: unknown[] = [];
    const { itemResults } = await client
      .run({
        name: 'Contexts',
        data: [{ input: 'q' }],
        task: () =>
          taskOutput('a', {
            contexts: ['one', { text: 'two', source: 'doc', score: 0.5 }],
            usage: { inputTokens: 3, outputTokens: 0, costUsd: 0.01, model: 'm' },
            metadata: { version: 2 },
          }),
        evaluators: [
          function looks({ contexts, usage, taskDurationMs }) {
            seen.push(contexts, usage, typeof taskDurationMs);
            return true;
          },
        ],
      })
      .result();
    expect(itemResults[0]).toMatchObject({
      output: 'a',
      outputMetadata: { version: 2 },
      contexts: [{ text: 'one' }, { text: 'two', source: 'doc', score: 0.5 }],
      usage: { inputTokens: 3, outputTokens: 0, costUsd: 0.01, model: 'm' },
    });
    expect(seen).toEqual([itemResults[0]!.contexts, itemResults[0]!.usage, 'number']);
  });

  test('are called again if they ask for it', async ({ client }) => {
    const attempts: number[] = [];
    const { itemResults } = await client
      .run({
        name: 'Retries',
        data: [{ input: 1 }],
        retry: { maxAttempts: 3, initialBackoffMs: 10 },
        task: (_, { attempt }) => {
          attempts.push(attempt);
          if (attempt < 3) {
            throw new RetryableError('not yet');
          }
          return 'done';
        },
      })
      .result();
    expect(attempts).toEqual([1, 2, 3]);
    expect(itemResults[0]).toMatchObject({ output: 'done', attempts: 3 });
  });

  test('learn of their call, and see the expected output unless the experiment says otherwise', async ({
    client,
  }) => {
    const seen: unknown[] = [];
    for (const includeExpectedOutput of [false, true, undefined]) {
      const result = await client
        .run({
          name: 'Context',
          data: QUESTIONS.slice(0, 1),
          ...(includeExpectedOutput !== undefined && { includeExpectedOutput }),
          task: (item, { trial, experiment, traceContext, signal }) => {
            seen.push([item.id, item.expectedOutput, trial, experiment.name, signal.aborted]);
            return traceContext['traceparent'];
          },
        })
        .result();
      const [only] = result.itemResults;
      expect(only!.output).toContain(only!.traceId);
      expect(seen.splice(0)).toEqual([
        [only!.item.id, includeExpectedOutput === false ? undefined : 'Paris', 1, 'Context', false],
      ]);
    }
  });

  test('take documents exactly', async ({ client }) => {
    const text = '{"big": 12345678901234567890, "price": 1.10}';
    const data = [
      { input: rawJson(text), expectedOutput: 2n ** 64n },
      { input: null },
      { input: 'Zürich 😀' },
    ];
    using exact = new Client({ address: client.address, parse: parseExact });
    const result = await exact
      .run({
        name: 'Exact',
        data,
        task: ({ inputJson, input }): unknown => (input === null ? undefined : rawJson(inputJson!)),
        evaluators: [
          function exactly({ output, outputJson, expectedOutput }: EvaluatorParams) {
            return output === null
              ? outputJson!
              : String(output.big === 12345678901234567890n && expectedOutput);
          },
        ],
      })
      .result();
    expect(result.itemResults.map((each) => each.outputJson)).toEqual([text, 'null', '"Zürich 😀"']);
    expect(result.itemResults.map((each) => each.evaluations[0]!.value)).toEqual([
      '18446744073709551616',
      'null',
      'false',
    ]);
  });

  test('take documents of one mebibyte, and no larger ones', async ({ client }) => {
    const largest = 'x'.repeat(1024 * 1024 - 2);
    const { itemResults } = await client
      .run({
        name: 'Large',
        data: [1, 2, 5].map((times) => ({ input: times })),
        task: ({ input }) => (input === 1 ? largest : largest.repeat(input)),
      })
      .result();
    expect(itemResults[0]!.output === largest).toBe(true);
    expect(itemResults.slice(1).map((each) => each.error?.reason)).toEqual([
      'PAYLOAD_TOO_LARGE',
      'PAYLOAD_TOO_LARGE',
    ]);
  });
});
