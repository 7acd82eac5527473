import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
/** The Python beside the server that is to be tested: that of the repository, unless EVALRPC_SERVER names another one. */
const PYTHON = join(
  dirname(process.env['EVALRPC_SERVER'] ?? join(ROOT, '.venv/bin/evalrpc-server')),
  'python',
);
const READY = /^evalrpc-server ready: grpc=(\S+)/m;
const START_MS = 60_000;

/** A running server, and how to end it. */
export interface Server extends AsyncDisposable {
  readonly address: string;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
  /** Stops it from doing anything until the signal SIGCONT. */
  signal(name: NodeJS.Signals): void;
}

/** Returns a directory that is there until the test ends. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'evalrpc-'));
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Starts a real server and waits until it is ready. */
export async function startServer(
  dataDirectory: string,
  {
    listen = '127.0.0.1:0',
    flags = [],
    env = {},
  }: { listen?: string; flags?: readonly string[]; env?: Record<string, string> } = {},
): Promise<Server> {
  const command = ['-m', 'evalrpc_server', 'serve', '--listen', listen, '--http-listen', ''];
  const child = spawn(PYTHON, [...command, '--data-dir', dataDirectory, ...flags], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [, address = ''] = await ready(child, READY);
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill('SIGCONT');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(timer);
  };
  return {
    address,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    signal: (name) => void child.kill(name),
    [Symbol.asyncDispose]: () => end('SIGKILL'),
  };
}

/** A stand-in for Langfuse, and what a server needs to talk to it. */
export interface Langfuse extends AsyncDisposable {
  readonly environment: Record<string, string>;
  /** Makes a dataset. */
  createDataset(name: string, items: readonly object[]): Promise<void>;
}

/** Starts a stand-in for Langfuse. */
export async function startLangfuse(): Promise<Langfuse> {
  const child = spawn(PYTHON, ['-m', 'tests.standins.langfuse'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [, url = '', keys = ''] = await ready(child, /^langfuse stand-in (\S+) control \S+ keys (\S+)/m);
  const [publicKey = '', secretKey = ''] = keys.split(':');
  const post = async (path: string, body: object): Promise<void> => {
    const response = await fetch(`${url}/api/public/${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(keys)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) {
      throw new Error(`${path}: ${response.status} ${await response.text()}`);
    }
  };
  return {
    environment: {
      LANGFUSE_BASE_URL: url,
      LANGFUSE_PUBLIC_KEY: publicKey,
      LANGFUSE_SECRET_KEY: secretKey,
    },
    async createDataset(name, items) {
      await post('v2/datasets', { name });
      for (const item of items) {
        await post('dataset-items', { datasetName: name, ...item });
      }
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Waits until a process prints what matches. */
function ready(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let output = '';
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new Error(`the process ${why}:\n${output}`));
    };
    const timer = setTimeout(() => {
      fail('did not get ready');
    }, START_MS);
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const match = pattern.exec(output);
      if (match !== null) {
        clearTimeout(timer);
        resolve(match);
      }
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', () => {
      fail('ended');
    });
  });
}
