import { isDeepStrictEqual } from 'node:util';
import { errorOf, type Stage } from '../stage.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

/** Scores of traces, observations and runs; the same content is one score, however often it is written. */
export async function run(stage: Stage): Promise<unknown> {
  const mine = stage.unique('mine');
  const scores = [
    { name: 'accuracy', value: 0.5, traceId, comment: 'half', metadata: { by: 'hand' } },
    { name: 'right', value: true, traceId, observationId: '00f067aa0ba902b7', id: mine },
    { name: 'tone', value: 'polite', datasetRunId: 'a-run' },
  ];
  using client = stage.client();
  const first = await client.createScores(scores, { wait: true });
  const again = await client.createScores(scores, { wait: true });
  const wrong = (await errorOf(() => client.createScores([{ name: 'none', value: 1 }]))) as {
    kind: string;
    violations: string[];
  };
  return {
    deliveries: first.map(({ delivery }) => delivery),
    own_id: first[1]?.id === mine,
    same_ids_again: isDeepStrictEqual(
      first.map(({ id }) => id),
      again.map(({ id }) => id),
    ),
    wrong: { kind: wrong.kind, violations: wrong.violations.length },
  };
}
