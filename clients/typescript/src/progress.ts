import type { AnyJson } from './documents.js';
import type { ExperimentEvent } from './model/event.js';
import type { Progress } from './model/experiment.js';
import type { ExperimentResult } from './model/result.js';
import type { Run } from './run.js';

const BETWEEN_LINES_MS = 5_000;
const BETWEEN_DRAWS_MS = 100;
const BAR_WIDTH = 30;

/** Where progress is shown: a terminal, a file, or anything else that text is written to. */
export interface ProgressStream {
  /** Writes text. */
  write(text: string): unknown;
  /** Whether it is a terminal. */
  readonly isTTY?: boolean;
  /** How many characters a line of it holds. */
  readonly columns?: number;
}

/** How progress is shown. */
export interface ProgressOptions {
  /** Where. Default: standard error. */
  readonly stream?: ProgressStream;
}

/**
 * Follows a run to its end while it shows how far it is: a bar on a terminal, a line now and then elsewhere.
 *
 * @param run - the run
 * @param options - where to show it
 * @returns what `run.result()` returns
 */
export async function showProgress<
  Input = AnyJson,
  ExpectedOutput = AnyJson,
  Metadata = AnyJson,
  Output = AnyJson,
>(
  run: Run<Input, ExpectedOutput, Metadata, Output>,
  options: ProgressOptions = {},
): Promise<ExperimentResult<Input, ExpectedOutput, Metadata, Output>> {
  const bar = new ProgressBar(options);
  try {
    for await (const event of run) {
      bar.update(event);
    }
  } finally {
    bar.close();
  }
  return run.result();
}

/** Shows how far a run is, for those who iterate over it themselves: give it each event, and close it in the end. */
export class ProgressBar {
  readonly #stream: ProgressStream;
  #begun: { readonly at: number; readonly completed: number } | undefined;
  #shownAt = -Infinity;
  #unshown: string | undefined;

  /** @param options - where to show it */
  constructor(options: ProgressOptions = {}) {
    this.#stream = options.stream ?? process.stderr;
  }

  /**
   * Takes an event in.
   *
   * @param event - the event
   */
  update(event: ExperimentEvent): void {
    const now = performance.now();
    if (event.kind === 'experiment' && event.experiment.state === 'PENDING') {
      this.#stream.write(`${event.experiment.id} ${event.experiment.runName}\n`);
      this.#shownAt = this.#stream.isTTY === true ? -Infinity : now;
    }
    this.#begun ??= { at: now, completed: event.progress.completed };
    this.#unshown = this.#text(event.progress, now);
    if (now - this.#shownAt >= (this.#stream.isTTY === true ? BETWEEN_DRAWS_MS : BETWEEN_LINES_MS)) {
      this.#shownAt = now;
      this.#show();
    }
  }

  /** Shows how far the run came, and leaves the line. */
  close(): void {
    this.#show();
    if (this.#stream.isTTY === true && this.#begun !== undefined) {
      this.#stream.write('\n');
    }
  }

  #show(): void {
    if (this.#unshown === undefined) {
      return;
    }
    if (this.#stream.isTTY === true) {
      // To the start of the line, and what is left of the last text away.
      this.#stream.write(`\r${this.#unshown.slice(0, (this.#stream.columns ?? 80) - 1)}\u001b[K`);
    } else {
      this.#stream.write(`${this.#unshown}\n`);
    }
    this.#unshown = undefined;
  }

  #text(progress: Progress, now: number): string {
    const { total, completed, failed } = progress;
    const seconds = (now - (this.#begun?.at ?? now)) / 1000;
    const rate = seconds > 0 ? (completed - (this.#begun?.completed ?? 0)) / seconds : 0;
    const parts = [`${completed}/${total ?? '?'} items`, `${failed} failed`];
    if (rate > 0) {
      parts.push(`${rate.toFixed(1)}/s`);
      if (total !== undefined && completed < total) {
        parts.push(`${Math.ceil((total - completed) / rate)} s left`);
      }
    }
    return this.#stream.isTTY === true ? `${bar(progress)} ${parts.join(', ')}` : parts.join(', ');
  }
}

function bar({ total, completed }: Progress): string {
  const share = total === undefined || total === 0 ? 0 : Math.min(1, completed / total);
  const full = Math.round(share * BAR_WIDTH);
  return `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`;
}
