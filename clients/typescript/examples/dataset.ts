// Datasets in Langfuse, which the server reads, and scores for traces of your own.
import { builtin, Client } from '@evalrpc/client';

using client = new Client();

// As in the Langfuse SDK: the dataset with its items, and an experiment over it.
const dataset = await client.dataset.get('capitals');
console.log(dataset.items.map(({ input }) => input));
const result = await dataset.runExperiment({
  name: 'Capitals',
  task: ({ input }) => (input === 'France' ? 'Paris' : 'Bonn'),
  evaluators: [builtin('exact_match', { name: 'accuracy' })],
  langfuseSync: 'wait',
});
console.log(result.itemResults.map(({ evaluations }) => evaluations[0]?.value));
console.log(result.experimentUrl === undefined ? 'not recorded' : 'recorded');

// The same over a part of it; the items are streamed into the experiment, however many there are.
const part = { name: 'capitals', limit: 1 };
console.log((await client.run({ name: 'One', data: part, task: () => 'Paris' }).result()).itemResults.length);

// Or over some of its items; they stay items of the dataset, there too.
const some = dataset.items.filter(({ expectedOutput }) => expectedOutput === 'Paris');
const { itemResults } = await client.experiment.run({ name: 'Some', data: some, task: () => 'Paris' });
console.log(itemResults.map(({ item }) => item.datasetItemId));

// For an application with traces of its own: tie one to an item, and score it.
for await (const item of client.listDatasetItems('capitals')) {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const link = await client.linkDatasetItem({
    datasetName: 'capitals',
    datasetItemId: item.id,
    runName: 'by hand',
    traceId,
    observationId: '00f067aa0ba902b7',
  });
  const receipts = await client.createScores(
    [
      { name: 'accuracy', value: true, traceId },
      { name: 'overall', value: 0.9, datasetRunId: link.datasetRunId },
    ],
    { wait: true },
  );
  console.log(receipts.map(({ delivery }) => delivery));
  break;
}
