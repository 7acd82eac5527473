// Failures of calls are typed errors; failures of items are data.
import { Client, EvalrpcError, InvalidRequestError, NotFoundError, RetryableError } from '@evalrpc/client';

using client = new Client();

try {
  await client.start({ name: '', data: [{ input: 1 }], task: 'ftp://example.org' });
} catch (error) {
  if (!(error instanceof InvalidRequestError)) {
    throw error;
  }
  for (const { path, description } of error.violations) {
    console.log(`${path}: ${description}`);
  }
}

try {
  await client.get('exp_none');
} catch (error) {
  console.log(error instanceof NotFoundError, error instanceof EvalrpcError && error.reason);
}

const { failedItems } = await client
  .run({
    name: 'Failing',
    data: [{ input: 'once' }, { input: 'always' }],
    task: ({ input }, { attempt }) => {
      if (input === 'always') {
        throw new RangeError('out of range');
      }
      if (attempt === 1) {
        throw new RetryableError('not yet'); // the call is repeated
      }
      return 'done';
    },
    retry: { initialBackoffMs: 10 },
  })
  .result();
for (const { item, error } of failedItems) {
  console.log(item.input, error?.reason, error?.message);
}
