import { describe, expect } from 'vitest';
import { all, first, quiz, rejection, test } from './support/fixtures.js';

describe('a run', () => {
  test('tells each event once and in order', async ({ client, app }) => {
    const run = client.run(
      quiz(app, { runName: 'first', description: 'a test', metadata: { model: 'm', n: 3 } }),
    );
    const events = await all(run);
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
    expect(events.filter((event) => event.kind === 'itemResult')).toHaveLength(3);
    const last = events.at(-1);
    expect(events[0]).toMatchObject({ kind: 'experiment', experiment: { state: 'PENDING' } });
    expect(last).toMatchObject({
      kind: 'experiment',
      experiment: { id: run.experimentId, state: 'SUCCEEDED', runName: 'first', description: 'a test' },
      progress: { total: 3, completed: 3, failed: 1 },
    });
    expect(run.lastSequence).toBe(last!.sequence);
    expect(run.experiment?.metadata).toEqual({ model: 'm', n: 3 });
    expect(await all(run)).toEqual([]); // all of it was seen
  });

  test('ends in a result with every item in the order of the data', async ({ client, app }) => {
    const result = await client.run(quiz(app)).result();
    const [paris, boom, bonn] = result.itemResults;
    expect(result.itemResults.map((each) => each.item.id)).toEqual(['fr', 'none', 'de']);
    expect(paris).toMatchObject({ output: 'Paris', attempts: 1, trial: 1 });
    expect(paris!.item).toMatchObject({
      expectedOutput: 'Paris',
      metadata: { continent: 'Europe' },
      index: 0,
    });
    expect(paris!.taskDurationMs).toBeGreaterThan(0);
    expect(bonn!.evaluations.map(({ name, value }) => [name, value])).toEqual([
      ['right', false],
      ['accuracy', false],
    ]);
    expect(boom).toMatchObject({
      output: undefined,
      evaluations: [],
      error: { reason: 'TASK_HTTP_STATUS', metadata: { status: '404' } },
    });
    expect(result.failedItems).toEqual([boom]);
    expect(result.runEvaluations.map(({ name, value }) => [name, value])).toEqual([['avg_accuracy', 0.5]]);
    expect(result).toMatchObject({ name: 'Quiz', state: 'SUCCEEDED', error: undefined });
    expect(result.runName).toMatch(/^Quiz - /);
    expect(result.experiment.summaries).toContainEqual(
      expect.objectContaining({ name: 'right', n: 2, mean: 0.5 }),
    );
  });

  test('reads a result from the server that was not kept', async ({ client, app }) => {
    const run = client.run(quiz(app, { collect: false }));
    const seen = (await all(run)).flatMap((event) => (event.kind === 'itemResult' ? [event.itemResult] : []));
    const result = await run.result();
    expect(result.itemResults).toEqual(seen.sort((a, b) => a.item.index - b.item.index));
    expect(await client.result(result.experimentId)).toEqual(result);
  });

  test('can be left and taken up again', async ({ client, app }) => {
    const run = client.run(quiz(app));
    for await (const event of run) {
      expect(event.sequence).toBe(1);
      break;
    }
    const rest = await all(run);
    expect(rest.map((event) => event.sequence)).toEqual(rest.map((_, index) => index + 2));
    expect((await run.result()).itemResults).toHaveLength(3);
  });

  test('can be watched from behind any event', async ({ client, app }) => {
    const everything = await all(client.run(quiz(app)));
    const id = everything[0]!.kind === 'experiment' ? everything[0]!.experiment.id : '';
    expect(await all(client.watch(id))).toEqual(everything);
    const later = client.watch(id, { afterSequence: 3 });
    expect(await all(later)).toEqual(everything.slice(3));
    expect((await later.result()).itemResults).toHaveLength(3);
  });

  test('ends at once when its signal is aborted', async ({ client, app }) => {
    const controller = new AbortController();
    const run = client.run(quiz(app, { task: app.gated, signal: controller.signal }));
    const reason = new Error('enough');
    const seen: number[] = [];
    const error = await rejection(
      (async () => {
        for await (const event of run) {
          seen.push(event.sequence);
          controller.abort(reason);
        }
      })(),
    );
    expect(error).toBe(reason);
    expect(seen).toEqual([1]);
    expect((await client.get(run.experimentId!)).state).toMatch(/PENDING|RUNNING/); // it runs on
    app.openGate();
  });

  test('is cancelled by its id', async ({ client, app }) => {
    const run = client.run(quiz(app, { task: app.gated }));
    await first(run);
    await expect.poll(() => app.requests.length).toBeGreaterThan(0);
    await client.cancel(run.experimentId!);
    const result = await run.result();
    expect(result.state).toBe('CANCELLED');
    expect(result.failedItems.map((each) => each.error?.reason)).toContain('CANCELLED');
    expect((await client.cancel(result.experimentId)).state).toBe('CANCELLED');
  });

  test('repeats items, and runs only the first of them', async ({ client, app }) => {
    const result = await client.run(quiz(app, { repetitions: 2, dryRunItems: 1 })).result();
    expect(result.itemResults.map(({ item, trial }) => [item.id, trial])).toEqual([
      ['fr', 1],
      ['fr', 2],
    ]);
  });

  test('takes a whole spec, which options override', async ({ client, app }) => {
    const spec = {
      name: 'from a spec',
      items: { items: [{ id: 'a', input: { value: 1 } }] },
      task: { http: { url: app.task } },
      maxConcurrency: 3,
    };
    const result = await client.run({ spec, runName: 'overridden', taskTimeoutMs: 1500 }).result();
    expect(result).toMatchObject({ name: 'from a spec', runName: 'overridden' });
    expect(result.experiment.spec).toMatchObject({ maxConcurrency: 3, taskTimeout: '1.500s' });
    expect(result.itemResults[0]!.output).toBe(1);
  });
});
