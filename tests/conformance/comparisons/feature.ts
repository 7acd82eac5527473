import { builtin, type Client, type GateJson } from '@evalrpc/client';
import { errorOf, type Stage } from '../stage.js';

async function runWith(client: Client, name: string, isRight: (n: number) => boolean, gates: GateJson[]) {
  return client
    .run({
      name,
      data: Array.from({ length: 8 }, (_, input) => ({ id: `i${input}`, input, expectedOutput: 'right' })),
      task: ({ input }) => (isRight(input) ? 'right' : 'wrong'),
      evaluators: [builtin('exact_match', { name: 'accuracy' })],
      gates,
    })
    .result();
}

/** What must hold for a run, how two runs compare item by item, and how many items it takes to tell. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const baseline = await runWith(client, stage.unique('baseline'), (n) => n === 7, []);
  const candidate = await runWith(client, stage.unique('candidate'), (n) => n > 0, [
    { name: 'enough', evaluation: 'accuracy', threshold: { value: 0.8 } },
    { name: 'perfect', evaluation: 'accuracy', threshold: { value: 1 } },
  ]);
  const [comparison] = await client.compare(baseline.experimentId, [candidate.experimentId], { maxFlips: 1 });
  const found = comparison?.evaluations[0];
  const variances = { betweenItems: 0.25, baselineWithinItem: 0.25, candidateWithinItem: 0 };
  const { plans } = await client.plan(0.1, { variances, trials: [1, 2] });
  const missing = (await errorOf(() => client.compare('exp_none', [candidate.experimentId]))) as {
    kind: string;
  };
  return {
    gates: candidate.experiment.gates.map(({ name, passed }) => [name, passed]),
    comparison: {
      verdict: found?.verdict,
      matched: comparison?.matchedItems,
      means: [found?.baselineMean, found?.candidateMean],
      difference: found?.difference,
      gained: found?.gained,
      lost: found?.lost,
      test: found?.test,
      p_value: Number(found?.pValue?.toFixed(6)),
      regressed: comparison?.regressed,
    },
    flips: found?.flips.map((each) => [
      each.item.id,
      each.baselineValue,
      each.candidateValue,
      each.baselineOutput as unknown,
      each.candidateOutput as unknown,
    ]),
    only_in_candidate: comparison?.onlyInCandidate,
    plan: plans.map(({ trials, items }) => [trials, items]),
    missing: missing.kind,
  };
}
