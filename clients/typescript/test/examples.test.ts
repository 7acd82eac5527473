import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, inject, vi } from 'vitest';
import { test } from './support/fixtures.js';
import { startLangfuse, startServer, temporaryDirectory } from './support/processes.js';

const DIRECTORY = new URL('../examples/', import.meta.url);
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

/** What each example prints; those with a test of their own are named without it. */
const OUTPUTS: Record<string, (string | RegExp)[] | undefined> = {
  'quickstart.ts': [/Expected: Paris\n {3}Actual: {3}It is Paris\.[^]*accuracy: 100\.0% \(2 of 2 true\)/],
  'endpoint.ts': ['Paris exact_match=true right=true', 'it took a moment'],
  'evaluators.ts': [/tone: 2 unscored[^]*pass_rate: 1\.000\n {4}💭 2 passed/],
  'events.ts': [
    ...['PENDING', 'RUNNING', '1 -> 1, 1 done', '2 -> 4, 2 done', '3 -> 9, 3 done', 'SUCCEEDED'],
    '3 results',
  ],
  'resume.ts': ['SUCCEEDED true', 'Overnight is the one'],
  'upload.ts': ['10000 items', '[1,2]'],
  'registered.ts': ['true', 'true'],
  'documents.ts': [
    '9007199254740993 bigint undefined',
    '{"price": 1.10} object null',
    '"Zürich 😀" string undefined',
  ],
  'errors.ts': [
    /^experiment\.name: /,
    /^experiment\.task\.http\.url: /,
    'true EXPERIMENT_NOT_FOUND',
    /^always TASK_FAILED .*out of range/,
  ],
  'worker.ts': undefined,
  'primes.js': undefined,
  'dataset.ts': undefined,
  'accuracy.test.ts': undefined,
};

describe('an example', () => {
  const printed: string[] = [];

  beforeEach(() => {
    printed.length = 0;
    vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
      printed.push(
        values.map((value) => (Array.isArray(value) ? JSON.stringify(value) : String(value))).join(' '),
      );
    });
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    vi.stubEnv('EVALRPC_ADDRESS', inject('serverAddress'));
  });

  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  test('is known here', async () => {
    expect((await readdir(DIRECTORY)).sort()).toEqual(Object.keys(OUTPUTS).sort());
  });

  test('stands in the README as it is run, and each one is named there', async () => {
    const readme = await readFile(new URL('../README.md', DIRECTORY), 'utf8');
    const sources = await Promise.all(
      Object.keys(OUTPUTS).map((name) => readFile(new URL(name, DIRECTORY), 'utf8')),
    );
    for (const [, block = ''] of readme.matchAll(/```ts\n([^]*?)```/g)) {
      expect(sources.some((source) => source.endsWith(block))).toBe(true);
    }
    const named = [...readme.matchAll(/\]\(examples\/([^)]*)\)/g)].map(([, name]) => name);
    expect(new Set([...named, 'primes.js'])).toEqual(new Set(Object.keys(OUTPUTS)));
  });

  for (const [name, output] of Object.entries(OUTPUTS)) {
    if (output !== undefined) {
      test(`runs: ${name}`, async ({ app }) => {
        vi.stubEnv('APPLICATION', app.task.replace('/task', ''));
        await import(new URL(name, DIRECTORY).href);
        expect(printed).toHaveLength(output.length);
        output.forEach((expected, index) => {
          expect(printed[index]).toMatch(expected);
        });
      });
    }
  }

  test('runs: dataset.ts', async () => {
    await using langfuse = await startLangfuse();
    await langfuse.createDataset('capitals', [
      { id: 'fr', input: 'France', expectedOutput: 'Paris' },
      { id: 'de', input: 'Germany', expectedOutput: 'Berlin' },
    ]);
    await using directory = await temporaryDirectory();
    await using server = await startServer(directory.path, { env: langfuse.environment });
    vi.stubEnv('EVALRPC_ADDRESS', server.address);
    await import(new URL('dataset.ts', DIRECTORY).href);
    expect(printed[0]).toMatch(/^\["(France","Germany|Germany","France)"\]$/);
    expect(printed[1]).toMatch(/^\[(true,false|false,true)\]$/);
    expect(printed.slice(2)).toEqual(['recorded', '1', '["fr"]', '["ACCEPTED","ACCEPTED"]']);
  });

  test('runs: worker.ts, with the package as it is published', async ({ client }) => {
    const program = spawn(process.execPath, ['--import', 'tsx', 'examples/worker.ts'], {
      cwd: PACKAGE,
      env: { ...process.env, TSX_TSCONFIG_PATH: 'tsconfig.build.json' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(program, 'exit');
    let output = '';
    program.stdout.on('data', (chunk) => (output += String(chunk)));
    await expect.poll(() => output, { timeout: 30_000 }).toContain('CONNECTED, 0 completed');
    const run = (name: string, data: object[]) =>
      client
        .run({
          name,
          data: data as [],
          task: { worker: { function: name } },
          evaluators: [{ name: 'loud', worker: { function: 'loud' } }],
        })
        .result();
    const shouted = await run('shout', [{ input: 'hello' }]);
    expect(shouted.itemResults[0]).toMatchObject({
      output: 'HELLO',
      evaluations: [{ name: 'loud', value: true }],
    });
    const primes = await run('prime', [{ input: 100 }, { input: 1000 }]);
    expect(primes.itemResults.map((each) => each.output)).toEqual([541, 7919]);
    program.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(output).toMatch(/DRAINING[^]*STOPPED[^]*gone\n$/);
  });
});
