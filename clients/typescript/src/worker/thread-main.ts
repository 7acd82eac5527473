import { parentPort } from 'node:worker_threads';
import type { ThreadAnswer, ThreadCall } from './threads.js';

const port = parentPort;

port?.on('message', (call: ThreadCall) => {
  void answered(call).then((answer) => {
    port.postMessage(answer);
  });
});

async function answered({ module, name, args }: ThreadCall): Promise<ThreadAnswer> {
  try {
    const exported = ((await import(module)) as Record<string, unknown>)[name];
    if (typeof exported !== 'function') {
      throw new TypeError(`${module} exports no function ${name}`);
    }
    return { value: await (exported as (...args: readonly unknown[]) => unknown)(...args) };
  } catch (error) {
    const { name: type = 'Error', message = String(error) } = error instanceof Error ? error : {};
    return { error: { name: type, message } };
  }
}
