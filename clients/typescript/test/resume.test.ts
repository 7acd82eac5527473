import { Code } from '@connectrpc/connect';
import { describe, expect } from 'vitest';
import {
  Client,
  InternalError,
  OutOfRangeError,
  ServerUnreachableError,
  UnavailableError,
  WatchInterruptedError,
  type ExperimentEvent,
} from '@evalrpc/client';
import { Resumption } from '../src/resumption.js';
import { all, first, quiz, rejection, test } from './support/fixtures.js';
import { startServer, temporaryDirectory } from './support/processes.js';
import { checkpoint, cut, ID, ofUnknownKind, refuse, result, Scripted, state } from './support/scripted.js';
import { Wire } from './support/wire.js';

const ITEMS = 40;
const data = Array.from({ length: ITEMS }, (_, index) => ({
  input: index < ITEMS / 2 ? `now ${index}` : `${index}`,
}));
const sequences = (events: ExperimentEvent[]) => events.map((event) => event.sequence);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe('a stream of the real server', () => {
  test('that is cut again and again brings each event once', async ({ client, app }) => {
    await using wire = await Wire.to(client.address);
    using cutting = new Client({ address: wire.address });
    const events: ExperimentEvent[] = [];
    const run = cutting.run(quiz(app, { data, task: app.gated, maxConcurrency: ITEMS }));
    for await (const event of run) {
      events.push(event);
      if (events.length % 7 === 0) {
        wire.cut();
      }
      if (events.length === 15) {
        app.openGate();
      }
    }
    expect(sequences(events)).toEqual(upTo(events.length));
    expect((await run.result()).itemResults).toHaveLength(ITEMS);
  });

  test('goes on after the server was killed and restarted', async ({ app }) => {
    await using directory = await temporaryDirectory();
    const server = await startServer(directory.path);
    using client = new Client({ address: server.address });
    const run = client.run(quiz(app, { data, task: app.gated, maxConcurrency: ITEMS }));
    const events: ExperimentEvent[] = [];
    let restarting: Promise<AsyncDisposable> | undefined;
    for await (const event of run) {
      events.push(event);
      if (events.length === 10) {
        await server.kill();
        restarting = startServer(directory.path, { listen: server.address });
        app.openGate();
      }
    }
    await using _restarted = await restarting!;
    expect(sequences(events)).toEqual(upTo(events.length));
    expect((await run.result()).itemResults).toHaveLength(ITEMS);
  });

  test('follows a drain to the next server', async ({ app }) => {
    await using directory = await temporaryDirectory();
    const server = await startServer(directory.path, { flags: ['--drain-grace', '0'] });
    using client = new Client({ address: server.address });
    const run = client.run(quiz(app, { data, task: app.gated, maxConcurrency: ITEMS }));
    await first(run);
    const rest = all(run);
    await server.stop();
    await using _restarted = await startServer(directory.path, { listen: server.address });
    app.openGate();
    const events = await rest;
    expect(sequences(events)).toEqual(upTo(events.length + 1).slice(1));
  });

  test('is given up when the server goes away for good', async ({ client, app }) => {
    await using wire = await Wire.to(client.address);
    using cutting = new Client({ address: wire.address });
    const run = cutting.run(quiz(app, { task: app.gated, patienceMs: 1000 }));
    await first(run);
    wire.target = '127.0.0.1:1';
    wire.cut();
    const error = await rejection(all(run));
    expect(error).toBeInstanceOf(WatchInterruptedError);
    expect((error as WatchInterruptedError).metadata).toMatchObject({ experiment_id: run.experimentId });
  });
});

describe('a stream', () => {
  test('passes over repeats, checkpoints and kinds of events that it does not know', async () => {
    await using server = await Scripted.start();
    using client = new Client({ address: server.address });
    server.scripts = [
      [state(1, 'PENDING'), checkpoint(1), ofUnknownKind(2), result(3, 0), result(3, 0), cut()],
      [result(3, 0), ofUnknownKind(4), state(5, 'SUCCEEDED')],
    ];
    const run = client.run({ name: 'x', data: [{ input: 1 }], task: 'http://x' });
    expect(sequences(await all(run))).toEqual([1, 3, 5]);
    expect(server.watches).toMatchObject([{ id: ID, afterSequence: 3 }]);
    expect(await run.result()).toMatchObject({ state: 'SUCCEEDED', itemResults: [{ output: 0 }] });
  });

  test('is taken up anew where an event is missing', async () => {
    await using server = await Scripted.start();
    using client = new Client({ address: server.address });
    server.scripts = [
      [state(1, 'RUNNING'), result(3, 1)],
      [result(2, 0), result(3, 1), state(4, 'SUCCEEDED')],
    ];
    expect(sequences(await all(client.watch(ID)))).toEqual([1, 2, 3, 4]);
    expect(server.watches.map((request) => request.afterSequence)).toEqual([0, 1]);
  });

  test('repeats its start under the same request id until the experiment is accepted', async () => {
    await using server = await Scripted.start();
    using client = new Client({ address: server.address });
    server.scripts = [[cut()], [refuse(Code.Unavailable, 'DRAINING', 10)], [state(1, 'SUCCEEDED')]];
    let reads = 0;
    function* once() {
      reads++;
      yield { input: 1 };
    }
    await all(client.run({ name: 'x', data: once(), task: 'http://x' }));
    expect(new Set(server.runs.map((request) => request.requestId)).size).toBe(1);
    expect(server.runs).toHaveLength(3);
    expect(reads).toBe(1);
  });

  test('of an end that comes too early is taken up again', async () => {
    await using server = await Scripted.start();
    using client = new Client({ address: server.address });
    server.scripts = [
      [state(1, 'RUNNING')],
      [cut(Code.Internal)],
      [cut(Code.Canceled)],
      [state(2, 'FAILED')],
    ];
    expect(sequences(await all(client.watch(ID)))).toEqual([1, 2]);
  });

  test('that fails for good throws at once', async () => {
    await using server = await Scripted.start();
    using client = new Client({ address: server.address });
    for (const [code, reason, kind] of [
      [Code.OutOfRange, 'EVENT_LOG_TRIMMED', OutOfRangeError],
      [Code.Internal, 'INTERNAL', InternalError],
    ] as const) {
      server.scripts = [[state(1, 'RUNNING'), refuse(code, reason)]];
      const error = await rejection(all(client.watch(ID)));
      expect(error).toBeInstanceOf(kind);
      expect(error).toMatchObject({ reason, metadata: { key: 'value' } });
    }
    expect(server.watches).toHaveLength(2);
  });

  test('does not wait longer than it may', async () => {
    await using server = await Scripted.start();
    using client = new Client({ address: server.address });
    server.scripts = [[refuse(Code.Unavailable, 'DRAINING', 30_500)]];
    const error = await rejection(
      all(client.run({ name: 'x', data: [{ input: 1 }], task: 'http://x', patienceMs: 1000 })),
    );
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error).toMatchObject({ reason: 'DRAINING', retryAfterMs: 30_500 });
  });

  test('to an address where nothing listens fails soon, and says how to start a server', async () => {
    using client = new Client({ address: '127.0.0.1:1' });
    const error = await rejection(all(client.run({ name: 'x', data: [{ input: 1 }], task: 'http://x' })));
    expect(error).toBeInstanceOf(ServerUnreachableError);
    expect(String(error)).toContain('evalrpc-server serve --listen 127.0.0.1:1');
  });
});

describe('back-off', () => {
  const failure = new UnavailableError('gone', { code: 'UNAVAILABLE' });

  test('grows up to a limit, with jitter, and begins anew with the next event', () => {
    const resumption = new Resumption({
      experimentId: ID,
      clock: () => 0,
      random: () => 1,
      patienceMs: 60_000,
    });
    expect(Array.from({ length: 7 }, () => resumption.delay(failure))).toEqual([
      200, 400, 800, 1600, 3200, 5000, 5000,
    ]);
    resumption.accept(state(1, 'RUNNING'));
    expect(resumption.delay(failure)).toBe(200);
    const steady = new Resumption({ experimentId: ID, clock: () => 0, random: () => 0 });
    expect(steady.delay(failure)).toBe(100);
  });

  test('is left out once where the server has announced its end', () => {
    const resumption = new Resumption({ experimentId: ID, clock: () => 0, random: () => 1 });
    resumption.accept(checkpoint(0, true));
    expect(resumption.delay(undefined)).toBe(0);
    expect(resumption.delay(undefined)).toBe(400);
  });
});
