import { builtin, registered, type NotFoundError } from '@evalrpc/client';
import { all, errorOf, type Stage } from '../stage.js';

/** Evaluators under names of the caller's: versions, their use, their end. */
export async function run(stage: Stage): Promise<unknown> {
  const name = stage.unique('judge');
  using client = stage.client();
  const versions: number[] = [];
  for (const ignore_case of [false, false, true]) {
    const evaluator = builtin('contains', { name, params: { ignore_case } });
    versions.push((await client.registerEvaluator(evaluator)).version);
  }
  const result = await client
    .run({
      name: stage.unique('run'),
      data: [{ input: 'PARIS', expectedOutput: 'paris' }],
      task: ({ input }) => input,
      evaluators: [registered(name, { name: 'accuracy' })],
    })
    .result();
  const said = result.itemResults[0]?.evaluations ?? [];
  const listed = (await all(client.listEvaluators({ name }))).map(({ version }) => version);
  await client.deleteEvaluator(name);
  const gone = (await errorOf(() => client.getEvaluator(name))) as NotFoundError & { kind: string };
  return {
    versions,
    evaluations: said.map((each) => ({
      name: each.name,
      value: each.value,
      version: Number(each.evaluator.split('@')[1]),
    })),
    listed,
    gone: gone.kind,
  };
}
