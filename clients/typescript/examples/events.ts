// Live progress: events as they happen, or a progress bar.
import { Client, showProgress } from '@evalrpc/client';

using client = new Client();
const options = {
  name: 'Squares',
  data: [1, 2, 3].map((input) => ({ input })),
  task: ({ input }: { input: number }) => input ** 2,
  maxConcurrency: 1,
};

for await (const event of client.run(options)) {
  switch (event.kind) {
    case 'experiment':
      console.log(event.experiment.state);
      break;
    case 'itemResult':
      console.log(
        `${event.itemResult.item.input} -> ${event.itemResult.output}, ${event.progress.completed} done`,
      );
      break;
    default:
      break;
  }
}

const result = await showProgress(client.run(options)); // draws on standard error
console.log(`${result.itemResults.length} results`);
