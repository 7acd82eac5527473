import { describe, expect } from 'vitest';
import {
  AlreadyExistsError,
  InvalidRequestError,
  NotFoundError,
  builtin,
  type ExperimentState,
} from '@evalrpc/client';
import { all, quiz, rejection, test } from './support/fixtures.js';

describe('experiments', () => {
  test('are started once per request id', async ({ client, app }) => {
    const options = quiz(app, { task: app.gated, requestId: `joined-${app.gated}` });
    const started = await client.start(options);
    expect((await client.start(options)).id).toBe(started.id);
    expect((await client.start(quiz(app))).id).not.toBe(started.id);
    const error = await rejection(client.start({ ...options, name: 'Other' }));
    expect(error).toBeInstanceOf(AlreadyExistsError);
    expect(error).toMatchObject({ reason: 'REQUEST_ID_REUSED', metadata: { experiment_id: started.id } });
    app.openGate();
  });

  test('are kept on the server under names', async ({ client }) => {
    const [definition, ...others] = await all(client.listDefinitions({ pageSize: 1 }));
    expect(others).toEqual([]);
    expect(definition).toEqual({
      name: 'nightly',
      experiment: { description: 'every night', maxConcurrency: 3 },
      problem: '',
      updateTime: expect.any(Date),
    });
  });

  test('are listed over all pages', async ({ client, app }) => {
    const name = `paged ${app.task}`;
    const started: string[] = [];
    for (let run = 0; run < 3; run++) {
      started.push((await client.run(quiz(app, { name })).result()).experimentId);
    }
    const found = await all(client.list({ name, states: ['SUCCEEDED'], pageSize: 1 }));
    expect(found.map((each) => each.id)).toEqual(started.toReversed());
    expect(await all(client.list({ name, states: ['FAILED'] }))).toEqual([]);
    await expect(all(client.list({ states: ['DONE' as ExperimentState] }))).rejects.toThrow('DONE');
  });

  test('list their results in either order', async ({ client, app }) => {
    const { experimentId } = await client.run(quiz(app)).result();
    const indexes = (await all(client.listResults(experimentId, { pageSize: 1 }))).map(
      (each) => each.item.index,
    );
    expect(indexes).toEqual([0, 1, 2]);
    expect(await all(client.listResults(experimentId, { order: 'completion' }))).toHaveLength(3);
    const failed = await all(client.listResults(experimentId, { failedOnly: true }));
    expect(failed.map((each) => each.item.id)).toEqual(['none']);
  });

  test('that do not exist are not found', async ({ client }) => {
    const calls = [client.get('no'), client.cancel('no'), client.result('no'), all(client.watch('no'))];
    for (const error of await Promise.all(calls.map((call) => rejection(call)))) {
      expect(error).toBeInstanceOf(NotFoundError);
      expect(error).toMatchObject({ reason: 'EXPERIMENT_NOT_FOUND', metadata: { experiment_id: 'no' } });
    }
  });

  test('that are wrong are told all that is wrong at once', async ({ client }) => {
    const data = [
      { id: 'a', input: 1 },
      { id: 'a', input: 2 },
    ];
    const error = (await rejection(
      client.run({ name: '', data, task: 'ftp://x' }).result(),
    )) as InvalidRequestError;
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect(error).toMatchObject({
      name: 'InvalidRequestError',
      code: 'INVALID_ARGUMENT',
      reason: 'INVALID_FIELD',
    });
    expect(error.requestId).toBeTruthy();
    expect(error.violations.map((each) => each.path)).toEqual(
      expect.arrayContaining(['experiment.name', 'experiment.task.http.url', 'experiment.items.items[1].id']),
    );
    const unknown = builtin('contains', { params: { no_such_param: 1 } });
    await expect(
      client.start({ name: 'x', data: [{ input: 1 }], task: 'http://x', evaluators: [unknown] }),
    ).rejects.toMatchObject({
      violations: [{ path: 'experiment.evaluators[0].builtin.params.no_such_param' }],
    });
  });

  test('with fields that the contract does not know are refused before anything is sent', ({ client }) => {
    const task = { http: { url: 'http://x', no_such_field: 1 } };
    expect(() => client.run({ name: 'x', data: [], task })).toThrow(InvalidRequestError);
    expect(() => client.run({ name: 'x', data: [], task })).toThrow(/no_such_field/);
  });
});

describe('evaluators', () => {
  test('are registered in versions', async ({ client, app }) => {
    const name = `accuracy-${app.task.replace(/\D/g, '')}`;
    const registered = await client.registerEvaluator(builtin('contains', { name }), {
      description: 'in there?',
    });
    expect(registered).toMatchObject({ name, version: 1, description: 'in there?' });
    expect(await client.registerEvaluator(builtin('contains', { name }))).toMatchObject({ version: 1 });
    const ignoring = builtin('contains', { params: { ignore_case: true } });
    expect(await client.registerEvaluator(ignoring, { name })).toMatchObject({ version: 2 });
    expect(await client.getEvaluator(name)).toMatchObject({ version: 2 });
    expect((await client.getEvaluator(`${name}@1`)).spec).toEqual(registered.spec);
    const versions = await all(client.listEvaluators({ name, pageSize: 1 }));
    expect(versions.map((each) => each.version)).toEqual([2, 1]);
    expect((await all(client.listEvaluators())).map((each) => each.name)).toContain(name);
    await client.deleteEvaluator(name);
    await expect(client.getEvaluator(name)).rejects.toBeInstanceOf(NotFoundError);
  });

  test('that are built in tell their parameters', async ({ client }) => {
    const found = await client.listBuiltinEvaluators();
    const contains = found.find((each) => each.name === 'contains');
    expect(contains?.level).toBe('item');
    expect(Object.keys(contains!.paramsSchema['properties'])).toContain('ignore_case');
    const ofRuns = await client.listBuiltinEvaluators({ level: 'run' });
    expect(new Set(ofRuns.map((each) => each.level))).toEqual(new Set(['run']));
  });
});
