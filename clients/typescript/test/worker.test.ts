import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import {
  Client,
  InvalidRequestError,
  ServerUnreachableError,
  Worker,
  workerEvaluator,
  type EvaluatorParams,
} from '@evalrpc/client';
import { all, deferred, rejection, test } from './support/fixtures.js';
import { startServer, temporaryDirectory } from './support/processes.js';
import { Wire } from './support/wire.js';

let made = 0;
const unique = (name: string): string => `${name}-${process.pid}-${++made}`;
const items = (count: number) => Array.from({ length: count }, (_, input) => ({ input }));

/** Starts a worker in a process of its own, whose calls are done once it drains. */
function startProgram(address: string, task: string): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', 'test/support/draining-worker.ts'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, EVALRPC_ADDRESS: address, FUNCTION: task },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Waits until a call has begun in it. */
async function begun(program: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    program.stdout!.once('data', () => {
      resolve();
    });
    program.once('exit', (code) => {
      reject(new Error(`the worker ended with ${code}`));
    });
  });
}

describe('a worker', () => {
  test('serves the runs of others', async ({ client }) => {
    const [task, evaluator, runEvaluator] = [unique('double'), unique('even'), unique('sum')];
    await using worker = new Worker({ address: client.address, maxInFlight: 3 })
      .task(task, ({ input }) => input * 2, { description: 'Doubles.', inputSchema: { type: 'integer' } })
      .evaluator(evaluator, ({ output }: EvaluatorParams) => output % 2 === 0)
      .runEvaluator(runEvaluator, ({ itemResults }) =>
        itemResults.reduce((sum, each) => sum + Number(each.output), 0),
      );
    await worker.start();
    const experiment = await client.start({
      name: 'Doubles',
      data: items(20),
      task: { worker: { function: task } },
      evaluators: [workerEvaluator(evaluator, { name: 'even' })],
      runEvaluators: [workerEvaluator(runEvaluator)],
    });
    const result = await client.watch(experiment.id).result();
    expect(result.itemResults.map((each) => each.output)).toEqual(items(20).map(({ input }) => input * 2));
    expect(result.experiment.summaries).toMatchObject([{ name: 'even', n: 20, mean: 1 }]);
    expect(result.runEvaluations).toMatchObject([{ name: runEvaluator, value: 380 }]);
    expect(worker.status).toMatchObject({
      state: 'CONNECTED',
      inFlight: 0,
      completed: 41,
      failed: 0,
      lost: 0,
    });
    const [listed] = await all(client.listWorkers({ function: task }));
    expect(listed).toMatchObject({
      id: worker.status.id,
      state: 'CONNECTED',
      maxInFlight: 3,
      completed: 41,
      clientName: 'evalrpc-typescript',
    });
    expect(listed!.functions).toContainEqual({ name: task, kind: 'TASK', description: 'Doubles.' });
  });

  test('takes no more calls at once than it said', async ({ client }) => {
    const task = unique('limited');
    let [running, most] = [0, 0];
    await using worker = new Worker({ address: client.address, maxInFlight: 4 }).task(task, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    });
    await worker.start();
    await client.run({ name: 'Limited', data: items(40), task: { worker: { function: task } } }).result();
    expect(most).toBeLessThanOrEqual(4);
  });

  test('shares its functions with others', async ({ client }) => {
    const task = unique('shared');
    const served = [0, 0];
    const both = deferred();
    await using first = new Worker({ address: client.address, maxInFlight: 1 }).task(task, () => serve(0));
    await using second = new Worker({ address: client.address, maxInFlight: 1 }).task(task, () => serve(1));
    async function serve(which: 0 | 1) {
      served[which]! += 1;
      if (served[0]! > 0 && served[1]! > 0) {
        both.resolve();
      }
      await both.promise;
    }
    await Promise.all([first.start(), second.start()]);
    await client.run({ name: 'Shared', data: items(10), task: { worker: { function: task } } }).result();
    expect(served[0]! + served[1]!).toBe(10);
  });

  test('goes on with what it has after a cut', async ({ client }) => {
    const task = unique('cut');
    const calls: number[] = [];
    const go = deferred();
    await using wire = await Wire.to(client.address);
    await using worker = new Worker({ address: wire.address }).task(task, async ({ input }) => {
      calls.push(input);
      if (calls.length === 5) {
        go.resolve();
      }
      await go.promise;
      if (input === 0) {
        wire.cut(); // the reports of all are under way, or are made while there is no stream
      }
      return input;
    });
    await worker.start();
    const result = await client
      .run({ name: 'Cut', data: items(5), task: { worker: { function: task } }, retry: 1 })
      .result();
    expect(result.itemResults.map((each) => each.output)).toEqual([0, 1, 2, 3, 4]);
    expect(calls.sort()).toEqual([0, 1, 2, 3, 4]); // none of them twice
  });

  test('drains on SIGTERM: finishes what it has, and leaves the rest to others', async ({ client }) => {
    const task = unique('drained');
    const program = startProgram(client.address, task);
    const run = client.run({
      name: 'Drained',
      data: items(3),
      maxConcurrency: 1,
      task: { worker: { function: task } },
    });
    const result = run.result();
    await begun(program);
    program.kill('SIGTERM');
    const [code] = (await once(program, 'exit')) as [number | null];
    expect(code).toBe(0);
    await using other = new Worker({ address: client.address }).task(task, () => 'other');
    await other.start();
    expect((await result).itemResults.map((each) => each.output)).toEqual(['drained', 'other', 'other']);
    expect((await result).itemResults.map((each) => each.attempts)).toEqual([1, 1, 1]);
  });

  test('that is killed or frozen loses its calls to another one within the lease', async () => {
    await using directory = await temporaryDirectory();
    await using server = await startServer(directory.path, { flags: ['--worker-lease', '2'] });
    using client = new Client({ address: server.address });
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      const program = startProgram(server.address, signal);
      try {
        const task = { worker: { function: signal } };
        const result = client.run({ name: signal, data: items(2), maxConcurrency: 1, task }).result();
        await begun(program);
        program.kill(signal);
        await using other = new Worker({ address: server.address }).task(signal, () => 'other');
        await other.start();
        const { itemResults } = await result;
        expect(itemResults.map((each) => each.output)).toEqual(['other', 'other']);
        expect(itemResults.map((each) => each.attempts)).toEqual([2, 1]);
      } finally {
        program.kill('SIGKILL');
      }
    }
  });

  test('that stops without a stream hands in what it has finished', async ({ client }) => {
    const task = unique('apart');
    const [begun, go] = [deferred(), deferred()];
    await using wire = await Wire.to(client.address);
    const worker = new Worker({ address: wire.address }).task(task, async () => {
      begun.resolve();
      await go.promise;
      return 'finished';
    });
    await worker.start();
    const result = client
      .run({ name: 'Apart', data: items(1), task: { worker: { function: task } }, retry: 1 })
      .result();
    await begun.promise;
    const target = wire.target;
    wire.target = '127.0.0.1:1';
    wire.cut();
    await expect.poll(() => worker.status.lastError, { interval: 5 }).toBeDefined();
    const stopped = worker.stop();
    go.resolve();
    wire.target = target;
    await stopped;
    expect((await result).itemResults.map((each) => each.output)).toEqual(['finished']);
  });

  test('outlives its server', async () => {
    await using directory = await temporaryDirectory();
    const server = await startServer(directory.path);
    const { address } = server;
    using client = new Client({ address });
    const half = deferred();
    let calls = 0;
    await using worker = new Worker({ address }).task('survivor', async ({ input }) => {
      if (++calls === 10) {
        half.resolve();
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      return input;
    });
    await worker.start();
    const result = client
      .run({
        name: 'Restart',
        data: items(40),
        maxConcurrency: 2,
        task: { worker: { function: 'survivor' } },
      })
      .result();
    await half.promise;
    await server.kill();
    await using restarted = await startServer(directory.path, { listen: address });
    expect(restarted.address).toBe(address);
    const { itemResults, state } = await result;
    expect(state).toBe('SUCCEEDED');
    expect(itemResults.map((each) => each.output)).toEqual(items(40).map(({ input }) => input));
  });

  test('waits for a server that is not there yet, and leaves when told', async () => {
    const statuses: string[] = [];
    const worker = new Worker({
      address: '127.0.0.1:1',
      onStatus: ({ state, lastError }) => statuses.push(`${state} ${lastError?.name ?? ''}`),
    }).task('x', () => 1);
    const running = worker.run({ signals: [] });
    await expect.poll(() => worker.status.lastError).toBeInstanceOf(ServerUnreachableError);
    await worker.stop();
    await running;
    expect(statuses).toContain('CONNECTING ServerUnreachableError');
    expect(worker.status.state).toBe('STOPPED');
  });

  test('that the server refuses says why', async ({ client }) => {
    const error = await rejection(
      new Worker({ address: client.address, maxInFlight: 0 }).task('x', () => 1).run(),
    );
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect((error as InvalidRequestError).violations.map((each) => each.path)).toEqual([
      'hello.max_in_flight',
    ]);
    const name = unique('kind');
    await using worker = new Worker({ address: client.address }).task(name, () => 1);
    await worker.start();
    await expect(
      new Worker({ address: client.address }).evaluator(name, () => 1).start(),
    ).rejects.toMatchObject({ reason: 'FUNCTION_KIND_CONFLICT', metadata: { function: name } });
  });

  test('hosts no name twice', () => {
    const worker = new Worker({ address: '127.0.0.1:1' }).task('x', () => 1);
    expect(() => worker.evaluator('x', () => 1)).toThrow('x already');
  });
});
