import { describe, expect } from 'vitest';
import { showProgress, type ProgressStream } from '@evalrpc/client';
import { quiz, test } from './support/fixtures.js';

class Screen implements ProgressStream {
  text = '';
  readonly columns = 60;

  constructor(readonly isTTY: boolean) {}

  write(text: string): void {
    this.text += text;
  }
}

describe('progress', () => {
  test('is a bar on a terminal', async ({ client, app }) => {
    const stream = new Screen(true);
    const result = await showProgress(client.run(quiz(app, { runName: 'shown' })), { stream });
    expect(result.itemResults).toHaveLength(3);
    expect(stream.text).toContain(`${result.experimentId} shown\n`);
    const last = stream.text.split('\r').at(-1)!;
    expect(last).toContain('█'.repeat(30));
    expect(last).toContain('3/3 items, 1 failed');
    expect(last.endsWith('\u001b[K\n')).toBe(true);
    for (const line of stream.text.split('\r').slice(1)) {
      expect(line.split('\u001b')[0]!.length).toBeLessThan(60);
    }
  });

  test('is a line elsewhere', async ({ client, app }) => {
    const stream = new Screen(false);
    const result = await showProgress(client.run(quiz(app, { runName: 'shown' })), { stream });
    const [first, ...rest] = stream.text.trim().split('\n');
    expect(first).toBe(`${result.experimentId} shown`);
    expect(rest).toEqual([expect.stringMatching(/^3\/3 items, 1 failed/)]);
  });
});
