import { describe, expect } from 'vitest';
import { builtin, NotFoundError, type Client } from '@evalrpc/client';
import { rejection, test } from './support/fixtures.js';

async function run(client: Client, task: string, right: number, baseline?: string) {
  const data = Array.from({ length: 40 }, (_, number) => ({
    id: `i${number}`,
    input: `${number}`,
    expectedOutput: number < right ? `${number}` : '?',
  }));
  const evaluators = [builtin('exact_match', { name: 'accuracy' })];
  const gates =
    baseline === undefined
      ? []
      : [{ evaluation: 'accuracy', baseline: { experiment: { id: baseline }, margin: 0.02 } }];
  return client.run({ name: 'Quiz', data, task, evaluators, gates }).result();
}

describe('runs', () => {
  test('are compared, and held to a baseline', async ({ client, app }) => {
    const first = await run(client, app.task, 36);
    const second = await run(client, app.task, 12, first.experimentId);
    expect(second.experiment.gates).toMatchObject([
      {
        name: `accuracy not below ${first.experimentId} - 0.02`,
        passed: false,
        verdict: 'REGRESSED',
      },
    ]);
    const [comparison, same, ...others] = await client.compare(
      first.experimentId,
      [second.experiment, first.experiment],
      {
        margins: { accuracy: 0.02 },
        maxFlips: 1,
      },
    );
    expect(others).toEqual([]);
    expect(comparison).toMatchObject({
      baseline: first.experimentId,
      candidate: second.experimentId,
      regressed: true,
      matchedItems: 40,
      evaluations: [
        { name: 'accuracy', verdict: 'REGRESSED', n: 40, lost: 24, test: 'MCNEMAR_EXACT', margin: 0.02 },
      ],
    });
    const [accuracy] = comparison?.evaluations ?? [];
    expect(accuracy?.difference).toBeCloseTo(-0.6);
    expect(accuracy?.interval?.[1]).toBeLessThan(-0.4);
    expect(accuracy?.flips).toMatchObject([{ baselineValue: 1, candidateValue: 0, candidateOutput: '12' }]);
    expect(accuracy?.flips[0]?.item.id).toBe('i12');
    expect(same?.regressed).toBe(false);
    const lost = await rejection(client.compare(first.experiment, ['exp_none']));
    expect(lost).toBeInstanceOf(NotFoundError);
    const noLangfuse = await rejection(
      client.compare('exp_1', [{ dataset: 'capitals', runName: 'nightly' }]),
    );
    expect(noLangfuse).toMatchObject({ reason: 'EXPERIMENT_NOT_FOUND' });
  });

  test('are planned', async ({ client, app }) => {
    const variances = { betweenItems: 1 / 9, baselineWithinItem: 1 / 6, candidateWithinItem: 1 / 6 };
    const { plans } = await client.plan(0.03, { variances, trials: [1, 5] });
    expect(plans).toEqual([
      { trials: 1, items: 3876, taskCalls: 3876 },
      { trials: 5, items: 1551, taskCalls: 7755 },
    ]);
    const { experimentId } = await run(client, app.task, 20);
    const measured = await client.plan(0.1, { variances: { experimentId, evaluation: 'accuracy' } });
    expect(measured.plans.map(({ trials }) => trials)).toEqual([1, 2, 3, 5, 10]);
    expect(measured.variances.betweenItems).toBeCloseTo(10 / 39);
  });
});
