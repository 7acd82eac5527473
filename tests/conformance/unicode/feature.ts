import type { Stage } from '../stage.js';

const TEXTS = [
  'naïve café, e\u0301',
  '首都 \u{1f3f3}\ufe0f\u200d\u{1f308}',
  '\u0000\u2028"\\\n',
  '\u05e9\u05dc\u05d5\u05dd\u200f',
];

/** Text in many scripts, with what needs escaping, arrives as it was. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const result = await client
    .run({
      name: 'Δοκιμή 🧪',
      data: TEXTS.map((text) => ({ input: { ключ: text } })),
      task: ({ input }) => input,
      evaluators: [() => ({ name: '정확도', value: 'ναι', comment: '€ — 😀' })],
    })
    .result();
  return {
    outputs: result.itemResults.map(({ output }) => output),
    evaluations: result.itemResults.map(({ evaluations: [said] }) => [
      said?.name,
      said?.value,
      said?.comment,
    ]),
    name: result.name,
    code_points: result.itemResults.map(({ output }) => Array.from(output?.ключ ?? '').length),
  };
}
