import { describe, expect } from 'vitest';
import { ExperimentResult } from '@evalrpc/client';
import { expectExperiment } from '@evalrpc/client/vitest';
import { quiz, rejection, test } from './support/fixtures.js';

const right = [
  { id: 'fr', input: 'Paris', expectedOutput: 'Paris' },
  { id: 'de', input: 'Berlin', expectedOutput: 'Berlin' },
];

describe('an experiment', () => {
  test('passes above its thresholds', async ({ client, app }) => {
    const result = await client.run(quiz(app, { data: right })).result();
    expectExperiment(result).toPass();
    expectExperiment(result).toPass({ avg_accuracy: 0.8, accuracy: '== 1', right: '> 0.99' });
    expect(result).toPassExperiment({ avg_accuracy: 1 });
    expectExperiment(result).toFail({ avg_accuracy: '< 1' });
  });

  test('fails below a threshold, and shows which items are to blame', async ({ client, app }) => {
    const data = [...right, { id: 'at', input: 'Graz', expectedOutput: 'Vienna' }];
    const result = await client.run(quiz(app, { data })).result();
    const message = failure(() => {
      expectExperiment(result).toPass({ avg_accuracy: 0.8 });
    });
    expect(message).toContain('✗ avg_accuracy >= 0.8: avg_accuracy is 0.666667');
    expect(message).toContain('Items that failed or scored low (1):');
    expect(message).toContain(
      '  3. at\n     input:    Graz\n     expected: Vienna\n     output:   Graz\n     right: false',
    );
    expect(message).not.toContain('1. fr');
    expect(message).toContain('🧪 Experiment: Quiz');
    expectExperiment(result).toPass({ avg_accuracy: 0.6 });
  });

  test('passes above its gates and fails below', async ({ client, app }) => {
    const gates = [{ evaluation: 'accuracy', threshold: { value: 0.8 } }];
    const good = await client.run(quiz(app, { data: right, gates })).result();
    expectExperiment(good).toPass();
    const data = [...right, { id: 'at', input: 'Graz', expectedOutput: 'Vienna' }];
    const poor = await client.run(quiz(app, { data, gates })).result();
    const message = failure(() => {
      expectExperiment(poor).toPass();
    });
    expect(message).toContain('✗ gate accuracy mean >= 0.8: the mean of accuracy is 0.666667 over 3 of 3');
  });

  test('fails where items failed, unless they may', async ({ client, app }) => {
    const result = await client.run(quiz(app)).result();
    const message = failure(() => {
      expectExperiment(result).toPass();
    });
    expect(message).toContain('1 items failed; at most 0 may');
    expect(message).toContain('error:    TASK_HTTP_STATUS: ');
    expectExperiment(result).toPass({}, { maxFailedItems: 1 });
  });

  test('fails where it did not succeed, or a value is missing', async ({ client, app }) => {
    const result = await client.run(quiz(app, { data: right })).result();
    const cancelled = new ExperimentResult({ ...result.experiment, state: 'CANCELLED' }, result.itemResults);
    expect(
      failure(() => {
        expectExperiment(cancelled).toPass();
      }),
    ).toContain('ended as CANCELLED');
    const message = failure(() => {
      expectExperiment(result).toPass({ tone: 0.5 });
    });
    expect(message).toContain('there is no value of tone');
  });

  test('is asked for with a threshold that is one', async ({ client, app }) => {
    const result = await client.run(quiz(app, { data: right })).result();
    expect(() => {
      expectExperiment(result).toPass({ accuracy: 'about 1' });
    }).toThrow(TypeError);
    expect(
      await rejection(
        Promise.resolve().then(() => {
          expect(1).toPassExperiment();
        }),
      ),
    ).toBeInstanceOf(TypeError);
  });
});

function failure(assertion: () => void): string {
  try {
    assertion();
  } catch (error) {
    return String(error);
  }
  throw new Error('expected the assertion to fail');
}
