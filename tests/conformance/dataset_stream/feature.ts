import { all, errorOf, type Stage } from '../stage.js';

/** A dataset's items as they arrive, a selection of them, and one that is not there. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const dataset = await client.getDataset('numbers');
  const items = new Map((await all(client.listDatasetItems('numbers'))).map((item) => [item.id, item]));
  const asia = { name: 'capitals', metadataEquals: { continent: 'Asia' } };
  let left = false;
  for await (const { id } of client.listDatasetItems('numbers')) {
    left = items.has(id);
    break;
  }
  const missing = (await errorOf(() => all(client.listDatasetItems('none')))) as { reason: string };
  return {
    name: dataset.name,
    count: items.size,
    input: items.get('n-107')?.inputJson,
    selected: (await all(client.listDatasetItems(asia))).map(({ id }) => id),
    left,
    missing: missing.reason,
  };
}
