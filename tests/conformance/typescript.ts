// Runs all features with the TypeScript client: `node --import tsx typescript.ts [FEATURE...]`; with `--host ID DIRECTORY` it
// is a worker instead.
import { existsSync, readdirSync } from 'node:fs';
import { host } from './hosting.js';
import { Stage } from './stage.js';

interface FeatureModule {
  readonly run: (stage: Stage) => Promise<unknown>;
}

const here = new URL('./', import.meta.url);
const there = readdirSync(here).filter((name) => existsSync(new URL(`${name}/feature.ts`, here)));
const asked = process.argv.slice(2);

if (asked[0] === '--host') {
  await host(asked[1] ?? '', asked[2] ?? '');
  process.exit();
}

for (const feature of asked.length > 0 ? asked : there.sort()) {
  const line: Record<string, unknown> = { feature };
  try {
    const { run } = (await import(new URL(`${feature}/feature.ts`, here).href)) as FeatureModule;
    line['outcome'] = await run(new Stage(feature));
  } catch (error) {
    line['failure'] = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  await new Promise((resolve) => process.stdout.write(`${JSON.stringify(line)}\n`, resolve));
}
process.exit();
