import type { Stage } from '../stage.js';

/** A function learns the W3C trace context that its own spans join. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const { itemResults } = await client
    .run({
      name: stage.unique('run'),
      data: [{ input: 1 }],
      task: (_item, { traceContext }) => traceContext['traceparent'] ?? '',
    })
    .result();
  const [version, trace] = (itemResults[0]?.output ?? '').split('-');
  return { version, same_trace: trace === itemResults[0]?.traceId };
}
