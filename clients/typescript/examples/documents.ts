// Documents are JSON text on their way, so nothing is lost: digits, null, any script.
import { Client, parseExact, rawJson } from '@evalrpc/client';

using client = new Client({ parse: parseExact }); // integers beyond 2^53 become bigints instead of being rounded

const { itemResults } = await client
  .run({
    name: 'Exact',
    data: [
      { input: 9007199254740993n },
      { input: rawJson('{"price": 1.10}'), expectedOutput: null },
      { input: 'Zürich 😀' },
    ],
    task: ({ inputJson }) => rawJson(inputJson ?? 'null'),
  })
  .result();
for (const { item, output, outputJson } of itemResults) {
  console.log(outputJson, typeof output, item.expectedOutput);
}
