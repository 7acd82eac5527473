import { errorOf, type Stage } from '../stage.js';

interface Row {
  readonly n: number;
  readonly text: string;
}

const TEXT = 'x'.repeat(1000);

function* rows(count = 4000): Generator<{ id: string; input: Row }> {
  for (let n = 0; n < count; n++) {
    yield { id: `row-${n}`, input: { n, text: TEXT } };
  }
}

function* brokenRows(): Generator<{ id: string; input: Row }> {
  yield* rows(3);
  throw new Error('the source has failed');
}

const task = ({ input }: { input: Row }): number => input.n + 1;

/** Items from an iterator, more than fit into a request, are stored as they come; a source that fails leaves nothing. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const upload = await client.upload(rows(), { description: 'rows' });
  const outputs = async (name: string, data: string | typeof upload, dryRunItems: number) => {
    const result = await client.run({ name: stage.unique(name), data, task, dryRunItems }).result();
    return result.itemResults.map(({ output }) => output);
  };
  const [first, again] = [await outputs('first', upload, 3), await outputs('again', upload.id, 2)];
  const streamed = await client
    .run({ name: stage.unique('streamed'), data: rows(), task, dryRunItems: 3 })
    .result();
  const broken = await client.upload(brokenRows()).then(
    () => null,
    (error: unknown) => (error as Error).message,
  );
  const twice = (await errorOf(() =>
    client.upload([
      { id: 'same', input: 1 },
      { id: 'same', input: 1 },
    ]),
  )) as { violations: string[] };
  return {
    item_count: upload.itemCount,
    first,
    again,
    streamed: streamed.itemResults.map(({ output }) => output),
    total: streamed.experiment.progress.total,
    broken,
    violations: twice.violations,
  };
}
