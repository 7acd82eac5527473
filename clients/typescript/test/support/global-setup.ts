import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startServer, temporaryDirectory } from './processes.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the server that the tests share listens. */
    serverAddress: string;
  }
}

/** Starts one server for all tests that do not need one of their own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await temporaryDirectory();
  const definitions = join(directory.path, 'definitions');
  await mkdir(definitions);
  await writeFile(join(definitions, 'nightly.json'), '{"description": "every night", "max_concurrency": 3}');
  const server = await startServer(directory.path, { flags: ['--definitions', definitions] });
  project.provide('serverAddress', server.address);
  return async () => {
    await server.kill();
    await directory[Symbol.asyncDispose]();
  };
}
