/**
 * Assertions on experiments for vitest, which show the items that failed.
 *
 * @packageDocumentation
 */

import { expect } from 'vitest';
import { failureText, type Evaluation } from '../model/evaluation.js';
import type { ItemResult } from '../model/item-result.js';
import { ExperimentResult } from '../model/result.js';
import { shown, verdict } from '../report/report.js';
import { missed, type Threshold } from './thresholds.js';

export type { Threshold } from './thresholds.js';

/** What a result must hold: bounds by the name of an evaluation. */
export type Thresholds = Readonly<Record<string, Threshold>>;

/** What else is asked of a result. */
export interface PassOptions {
  /** How many items may fail. Default: none. */
  readonly maxFailedItems?: number;
}

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as vitest declares it
  interface Matchers<T = any> {
    /**
     * Asserts that an experiment succeeded, that no item failed, and that it holds its gates and the thresholds.
     *
     * @param thresholds - bounds by the name of a run evaluation, or of an item evaluation for its mean
     * @param options - how many items may fail
     */
    toPassExperiment(thresholds?: Thresholds, options?: PassOptions): T;
  }
}

const MOST_SHOWN = 10;

expect.extend({
  toPassExperiment(received: unknown, thresholds: Thresholds = {}, options: PassOptions = {}) {
    if (!(received instanceof ExperimentResult)) {
      throw new TypeError(`expected an ExperimentResult, not ${this.utils.printReceived(received)}`);
    }
    const problems = problemsOf(received, thresholds, options);
    return {
      pass: problems.length === 0,
      message: () =>
        problems.length === 0
          ? `expected the experiment not to pass\n\n${received.format()}`
          : message(received, problems, Object.keys(thresholds)),
    };
  },
});

/**
 * Returns assertions on an experiment's result.
 *
 * @param result - the result
 */
export function expectExperiment(result: ExperimentResult): ExperimentAssertions {
  return new ExperimentAssertions(result);
}

/** Assertions on an experiment's result. */
export class ExperimentAssertions {
  readonly #result: ExperimentResult;

  /** @internal */
  constructor(result: ExperimentResult) {
    this.#result = result;
  }

  /**
   * Asserts that the experiment succeeded, that no item failed, and that it holds its gates and the thresholds.
   *
   * @param thresholds - bounds by the name of a run evaluation, or of an item evaluation for its mean
   * @param options - how many items may fail
   */
  toPass(thresholds: Thresholds = {}, options: PassOptions = {}): void {
    expect(this.#result).toPassExperiment(thresholds, options);
  }

  /**
   * Asserts that the experiment does not pass.
   *
   * @param thresholds - bounds by the name of a run evaluation, or of an item evaluation for its mean
   * @param options - how many items may fail
   */
  toFail(thresholds: Thresholds = {}, options: PassOptions = {}): void {
    expect(this.#result).not.toPassExperiment(thresholds, options);
  }
}

function problemsOf(result: ExperimentResult, thresholds: Thresholds, options: PassOptions): string[] {
  const { state, error, failedItems } = result;
  const { maxFailedItems = 0 } = options;
  const problems: string[] = [];
  if (state !== 'SUCCEEDED') {
    problems.push(`the experiment ended as ${state}${error === undefined ? '' : `: ${failureText(error)}`}`);
  }
  if (failedItems.length > maxFailedItems) {
    problems.push(`${failedItems.length} items failed; at most ${maxFailedItems} may`);
  }
  for (const gate of result.experiment.gates.filter(({ passed }) => !passed)) {
    problems.push(`gate ${gate.name}: ${gate.message}`);
  }
  for (const [name, threshold] of Object.entries(thresholds)) {
    const why = missed(name, threshold, result);
    if (why !== undefined) {
      problems.push(why);
    }
  }
  return problems;
}

function message(result: ExperimentResult, problems: readonly string[], names: readonly string[]): string {
  const lines = ['expected the experiment to pass:', ...problems.map((problem) => `  ✗ ${problem}`)];
  const judged = (evaluation: Evaluation): boolean => names.length === 0 || names.includes(evaluation.name);
  const bad = result.itemResults.filter(
    (each) => each.error !== undefined || lowest(each, result, judged) !== undefined,
  );
  if (bad.length > 0) {
    lines.push('', `Items that failed or scored low (${bad.length}):`);
    lines.push(...bad.slice(0, MOST_SHOWN).flatMap(itemLines));
    if (bad.length > MOST_SHOWN) {
      lines.push(`  and ${bad.length - MOST_SHOWN} more`);
    }
  }
  return [...lines, '', result.format()].join('\n');
}

/** Returns an evaluation of an item that failed, is false, or lies below the mean of its name; undefined if none does. */
function lowest(
  item: ItemResult,
  result: ExperimentResult,
  judged: (evaluation: Evaluation) => boolean,
): Evaluation | undefined {
  const means = new Map(result.experiment.summaries.map(({ name, mean }) => [name, mean]));
  const ofItems = item.evaluations.filter((each) => judged(each));
  // Thresholds may name run evaluations alone; then every item evaluation tells something.
  return (ofItems.length > 0 ? ofItems : item.evaluations).find(
    ({ error, value, name }) =>
      error !== undefined ||
      value === false ||
      (typeof value === 'number' && (value === 0 || value < (means.get(name) ?? -Infinity))),
  );
}

function itemLines(result: ItemResult): string[] {
  const { item, error } = result;
  const lines = [`  ${item.index + 1}. ${item.id}`, `     input:    ${shown(item.inputJson)}`];
  if (item.expectedOutputJson !== undefined) {
    lines.push(`     expected: ${shown(item.expectedOutputJson)}`);
  }
  lines.push(
    error === undefined
      ? `     output:   ${shown(result.outputJson)}`
      : `     error:    ${failureText(error)}`,
  );
  for (const evaluation of result.evaluations) {
    const comment = evaluation.comment === undefined ? '' : ` (${evaluation.comment})`;
    lines.push(`     ${evaluation.name}: ${verdict(evaluation)}${comment}`);
  }
  return lines;
}
