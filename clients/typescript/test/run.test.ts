import { describe, expect } from 'vitest';
import {
  AlreadyExistsError,
  InvalidRequestError,
  NotFoundError,
  builtin,
  parseExact,
  rawJson,
  Client,
  type ExperimentState,
} from '@evalrpc/client';
import { all, CAPITALS, first, quiz, rejection, test } from './support/fixtures.js';

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

describe('documents', () => {
  const DOCUMENTS = [
    3,
    0.1,
    1e300,
    true,
    '',
    'Zürich 😀',
    'null',
    [],
    {},
    { a: [1, null, { b: '\u2028' }] },
    null,
  ];

  test('come back as they went', async ({ client, app }) => {
    const data = DOCUMENTS.map((input) => ({ input, expectedOutput: input, metadata: { m: input } }));
    const { itemResults } = await client.run({ name: 'exact', data, task: app.task }).result();
    expect(itemResults.map((each) => each.output)).toEqual(DOCUMENTS);
    expect(itemResults.map((each) => each.item.expectedOutput)).toEqual(DOCUMENTS);
    expect(itemResults.map((each) => each.item.metadata?.m)).toEqual(DOCUMENTS);
  });

  test('keep integers of any size as bigints, if asked to', async ({ client, app }) => {
    const input = { big: 12345678901234567890n, list: [-9007199254740993n, 9007199254740991, 1.5] };
    using exact = new Client({ address: client.address, parse: parseExact });
    const { itemResults } = await exact.run({ name: 'bigints', data: [{ input }], task: app.task }).result();
    expect(itemResults[0]!.item.input).toEqual(input);
    expect(itemResults[0]!.output).toEqual(input);
    expect(itemResults[0]!.item.inputJson).toBe(
      '{"big":12345678901234567890,"list":[-9007199254740993,9007199254740991,1.5]}',
    );
  });

  test('of raw JSON keep their bytes', async ({ client, app }) => {
    const text = '{"price": 1.10, "big": 12345678901234567890.000}';
    const { itemResults } = await client
      .run({ name: 'raw', data: [{ input: rawJson(text) }], task: app.task })
      .result();
    expect(itemResults[0]!.item.inputJson).toBe(text);
  });

  test('tell null from nothing', async ({ client, app }) => {
    const data = [
      { input: null },
      { input: 1, expectedOutput: undefined },
      { input: 2, expectedOutput: null },
    ];
    const { itemResults } = await client.run({ name: 'nulls', data, task: app.task }).result();
    expect(itemResults.map((each) => each.outputJson)).toEqual(['null', '1', '2']);
    expect(itemResults.map((each) => each.output)).toEqual([null, 1, 2]);
    expect(itemResults.map((each) => each.item.expectedOutput)).toEqual([undefined, undefined, null]);
  });

  test('of one mebibyte travel', async ({ client, app }) => {
    const input = 'x'.repeat(1024 * 1024 - 2);
    const data = [1, 2].map(() => ({ input, expectedOutput: input, metadata: { m: input.slice(8) } }));
    const { itemResults } = await client.run({ name: 'largest', data, task: app.task }).result();
    expect(itemResults.map((each) => each.output === input)).toEqual([true, true]);
  });
});

describe('data', () => {
  test('may come from an iterator', async ({ client, app }) => {
    async function* numbers() {
      for (let input = 0; input < 5; input++) {
        yield { input };
      }
    }
    const { itemResults } = await client.run({ name: 'iterator', data: numbers(), task: app.task }).result();
    expect(itemResults.map((each) => each.output)).toEqual([0, 1, 2, 3, 4]);
  });

  test('too large for a request is uploaded', async ({ client, app }) => {
    const data = Array.from({ length: 12 }, (_, index) => ({ input: `${index}-${'x'.repeat(500_000)}` }));
    const result = await client.run({ name: 'large', data, task: app.task }).result();
    expect(result.experiment.spec.upload).toBeTruthy();
    expect(result.itemResults.map((each) => each.output)).toEqual(data.map((item) => item.input));
  });

  test('of an upload serves many experiments', async ({ client, app }) => {
    const upload = await client.upload(CAPITALS, { description: 'capitals' });
    expect(upload.itemCount).toBe(3);
    for (const data of [upload, upload.id]) {
      expect((await client.run(quiz(app, { data })).result()).itemResults).toHaveLength(3);
    }
  });

  test('whose source fails leaves nothing and tells the cause', async ({ client }) => {
    function* broken() {
      yield { input: 'x'.repeat(1_000_000) };
      yield { input: 'x'.repeat(1_000_000) };
      throw new RangeError('the database went away');
    }
    await expect(client.upload(broken())).rejects.toThrow(new RangeError('the database went away'));
    expect((await client.upload([{ input: 1 }])).itemCount).toBe(1);
  });

  test('without an end stops when the server refuses it, and its source is closed', async ({ client }) => {
    let closed = false;
    function* endless() {
      try {
        for (;;) {
          yield { id: 'same', input: 'x'.repeat(1000) };
        }
      } finally {
        closed = true;
      }
    }
    const error = await rejection(client.upload(endless()));
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect((error as InvalidRequestError).violations.map((each) => each.path)).toContain('items.items[1].id');
    await expect.poll(() => closed).toBe(true);
  });

  test('with a misspelt key is refused before anything is sent', async ({ client, app }) => {
    const data = [{ input: 1 }, { input: 2, expected_output: 3 }];
    const error = await rejection(client.run({ name: 'typo', data, task: app.task }).result());
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect(String(error)).toContain('data[1].expected_output');
  });

  test('that is not JSON is refused before anything is sent', async ({ client, app }) => {
    for (const input of [NaN, { a: Infinity }, () => 1, Symbol('x')]) {
      const error = await rejection(client.run({ name: 'x', data: [{ input }], task: app.task }).result());
      expect(error).toBeInstanceOf(InvalidRequestError);
      expect((error as InvalidRequestError).violations[0]!.path).toBe('data[0].input');
    }
  });
});

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
