import { expectTypeOf, test } from 'vitest';
import { Client, rawJson, type Failure, type RunOptions } from '@evalrpc/client';

test('types follow from the data and the task', () => {
  using client = new Client({ address: '127.0.0.1:1' });
  const run = client.run({
    name: 'x',
    data: [
      { input: 'a', expectedOutput: 1, metadata: { topic: 'x' } },
      { input: 2n, metadata: { other: true } },
      { input: rawJson('[]') },
    ],
    task: ({ input, metadata }) => {
      expectTypeOf(input).toEqualTypeOf<string | bigint>();
      expectTypeOf(metadata?.topic).toEqualTypeOf<string | undefined>();
      return Promise.resolve({ answer: 'a' });
    },
    evaluators: [
      ({ output, expectedOutput }) => {
        expectTypeOf(output).toEqualTypeOf<{ answer: string }>();
        expectTypeOf(expectedOutput).toEqualTypeOf<number | undefined>();
        return true;
      },
    ],
  });
  type Result = Awaited<ReturnType<(typeof run)['result']>>['itemResults'][number];
  expectTypeOf(run).toHaveProperty('lastSequence');
  expectTypeOf<Result['output']>().toEqualTypeOf<{ answer: string } | undefined>();
  expectTypeOf<Result['error']>().toEqualTypeOf<Failure | undefined>();

  // Of data that the server reads nothing is known.
  const options: RunOptions = { name: 'x', data: { name: 'dataset' }, task: ({ input }) => input.question };
  expectTypeOf(client.run(options)).toHaveProperty('result');
  // @ts-expect-error -- a function that returns no verdict is no evaluator
  client.run({ name: 'x', data: [{ input: 1 }], task: 'http://x', evaluators: [() => ({ score: 1 })] });
  // @ts-expect-error -- an item without an input is none
  client.run({ name: 'x', data: [{ expectedOutput: 1 }], task: 'http://x' });
});
