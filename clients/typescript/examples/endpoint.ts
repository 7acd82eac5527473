// The task and an evaluator are HTTP endpoints, which the server calls; nothing runs in this process.
import { builtin, Client, httpEvaluator } from '@evalrpc/client';

const origin = process.env['APPLICATION'] ?? 'http://127.0.0.1:9000';
using client = new Client();

const run = client.run({
  name: 'Geography Quiz',
  runName: 'over HTTP',
  data: [{ input: 'Paris', expectedOutput: 'Paris' }],
  task: `${origin}/task`,
  evaluators: [builtin('exact_match'), httpEvaluator({ url: `${origin}/evaluate`, name: 'right' })],
  taskTimeoutMs: 30_000,
  retry: { maxAttempts: 5, initialBackoffMs: 200 },
});
const { itemResults } = await run.result();
for (const { output, evaluations, taskDurationMs } of itemResults) {
  console.log(output, evaluations.map(({ name, value }) => `${name}=${value}`).join(' '));
  console.log(taskDurationMs !== undefined && taskDurationMs > 0 ? 'it took a moment' : 'it took no time');
}
