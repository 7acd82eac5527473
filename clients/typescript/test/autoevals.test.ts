import { expect } from 'vitest';
import { createEvaluatorFromAutoevals } from '@evalrpc/client';
import { test } from './support/fixtures.js';

test('evaluators of autoevals serve as they are, and a score of null is no 0', async ({ client }) => {
  const seen: unknown[] = [];
  const sameness = async (params: { output: string; expected?: string; strict: boolean }) => {
    seen.push(params);
    const score = params.expected === undefined ? null : Number(params.output === params.expected);
    return { name: 'Sameness', score, metadata: { rationale: 'compared' } };
  };
  const { itemResults } = await client.experiment.run({
    name: 'Autoevals',
    data: [{ input: 'a', expectedOutput: 'a' }, { input: 'b' }],
    task: async ({ input }) => input,
    evaluators: [createEvaluatorFromAutoevals(sameness, { strict: true })],
    maxConcurrency: 1,
  });
  expect(seen).toContainEqual({ strict: true, input: 'a', output: 'a', expected: 'a' });
  const [same, unscored] = itemResults.map((each) => each.evaluations[0]!);
  expect(same).toMatchObject({ name: 'Sameness', value: 1, metadata: { rationale: 'compared' } });
  expect(unscored).toMatchObject({ name: 'Sameness', value: null, unscored: 'Sameness gave no score' });
});
