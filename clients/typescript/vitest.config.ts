import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // The longer name first: the shorter one is its prefix.
    alias: [
      { find: '@evalrpc/client/vitest', replacement: source('vitest/index.ts') },
      { find: '@evalrpc/client', replacement: source('index.ts') },
    ],
  },
  test: {
    include: ['{test,examples}/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
