// Data of any size: a generator is read only as fast as the server stores it. An upload serves many experiments.
import { Client } from '@evalrpc/client';

using client = new Client();

async function* questions() {
  for (let number = 0; number < 10_000; number++) {
    yield { id: `q${number}`, input: `What is ${number} + 1?`, metadata: { number } };
  }
}

const upload = await client.upload(questions(), { description: 'sums' });
console.log(`${upload.itemCount} items`);
const { itemResults } = await client
  .run({
    name: 'Sums',
    data: upload,
    dryRunItems: 2,
    task: ({ metadata }) => Number(metadata.number) + 1,
  })
  .result();
console.log(itemResults.map(({ output }) => output));
