import { errorOf, type Stage } from '../stage.js';

const LIMIT = 1024 * 1024;
const LARGEST = 'x'.repeat(LIMIT - 2);

/** Documents of exactly the limit travel both ways; one byte more is the item's error, or refused. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const task = ({ input }: { input: string }): string => (input === 'more' ? `${LARGEST}x` : input);
  const result = await client
    .run({
      name: stage.unique('run'),
      data: [{ input: LARGEST }, { input: 'more' }],
      task,
      evaluators: [
        function size({ output }) {
          return output.length;
        },
      ],
    })
    .result();
  const more = { name: stage.unique('more'), data: [{ input: `${LARGEST}x` }], task };
  const refused = (await errorOf(() => client.run(more).result())) as { kind: string; violations: string[] };
  const [largest, above] = result.itemResults;
  return {
    bytes: [largest?.item.inputJson?.length, largest?.outputJson?.length],
    judged: largest?.evaluations[0]?.value,
    above: above?.error?.reason,
    refused: { kind: refused.kind, violations: refused.violations },
  };
}
