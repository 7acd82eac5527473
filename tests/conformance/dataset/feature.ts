import { builtin } from '@evalrpc/client';
import type { Stage } from '../stage.js';

const CAPITALS: Record<string, string> = { Austria: 'Vienna', Germany: 'Berlin', Japan: 'Kyoto' };

/** A local function over a dataset in Langfuse, and over a part of it; the results are recorded there. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const task = ({ input }: { input: string }): string | undefined => CAPITALS[input];
  const result = await client
    .run({
      name: stage.unique('capitals'),
      data: { name: 'capitals' },
      task,
      evaluators: [builtin('exact_match', { name: 'accuracy' })],
      langfuseSync: 'wait',
    })
    .result();
  const part = { name: 'capitals', metadataEquals: { continent: 'Asia' } };
  const asia = await client.run({ name: stage.unique('part'), data: part, task }).result();
  const recorded = result.experiment.langfuse;
  return {
    state: result.state,
    items: Object.fromEntries(
      result.itemResults.map(({ item, evaluations: [said] }): [string, unknown[]] => [
        item.datasetItemId ?? '',
        [item.input as unknown, said?.value],
      ]),
    ),
    recorded: recorded !== undefined && recorded.accepted > 0 && recorded.datasetRunId !== undefined,
    rejected: recorded?.rejected,
    queued: recorded?.queued,
    in_asia: asia.itemResults.map(({ item }) => item.datasetItemId),
  };
}
