import { failureText, type Evaluation } from '../model/evaluation.js';
import type { Experiment } from '../model/experiment.js';
import type { ItemResult } from '../model/item-result.js';
import { fixed, mean } from './numbers.js';

const RULE = '─'.repeat(50);
const MAX_TEXT = 50;

/**
 * Returns a result as text for a terminal, without a line break at its end. The layout is that of `format()` in the
 * Langfuse SDKs and in evalrpc's other clients; values are spelled as JSON.
 */
export function report(
  experiment: Experiment,
  results: readonly ItemResult[],
  includeItemResults: boolean,
): string {
  const trials = Math.max(1, ...new Set(results.map((result) => result.trial)));
  const lines = includeItemResults
    ? results.flatMap((result, index) => itemLines(index + 1, result, trials))
    : [
        `Individual Results: Hidden (${results.length} items)`,
        '💡 Set includeItemResults: true to view them',
      ];
  lines.push('', RULE, ...headLines(experiment, results, trials));
  const names = evaluationNames(experiment, results);
  if (names.length > 0) {
    lines.push('', 'Evaluations:', ...names.map((name) => `  • ${name}`));
    lines.push('', 'Average Scores:', ...names.map((name) => `  • ${name}: ${average(name, results)}`));
  }
  lines.push(
    ...failureLines(results),
    ...runEvaluationLines(experiment.runEvaluations),
    ...gateLines(experiment),
  );
  if (experiment.langfuse?.url !== undefined) {
    lines.push('', '🔗 Experiment:', `   ${experiment.langfuse.url}`);
  }
  return lines.join('\n');
}

/**
 * Returns the names of the item evaluations: in the order of the spec's evaluators, then of the items. An evaluator may
 * name its evaluations itself; they stand behind the one before them in their item.
 */
export function evaluationNames(experiment: Experiment, results: readonly ItemResult[]): string[] {
  const places = new Map(
    experiment.evaluators.map((name, place) => [name, place]).reverse() as [string, number][],
  );
  const found = new Map<string, number>();
  for (const result of results) {
    let place = 0;
    for (const { name } of result.evaluations) {
      place = places.get(name) ?? place;
      if (!found.has(name)) {
        found.set(name, place);
      }
    }
  }
  return [...found].sort(([, a], [, b]) => a - b).map(([name]) => name);
}

/** Returns an evaluation's verdict as text. */
export function verdict(evaluation: Evaluation): string {
  if (evaluation.error !== undefined) {
    return `error ${oneLine(failureText(evaluation.error))}`;
  }
  if (evaluation.unscored !== undefined) {
    return evaluation.unscored === '' ? 'unscored' : `unscored (${oneLine(evaluation.unscored)})`;
  }
  return typeof evaluation.value === 'number' ? fixed(evaluation.value, 3) : String(evaluation.value);
}

/** Returns a document on one line, cut after 50 characters; a string without its quotes. */
export function shown(json: string | undefined): string {
  const characters = Array.from(
    oneLine(json?.startsWith('"') ? (JSON.parse(json) as string) : (json ?? 'null')),
  );
  return characters.length <= MAX_TEXT ? characters.join('') : `${characters.slice(0, MAX_TEXT).join('')}...`;
}

function itemLines(number: number, result: ItemResult, trials: number): string[] {
  const { item } = result;
  const lines = ['', `${number}. Item ${item.index + 1}${trials > 1 ? `, trial ${result.trial}` : ''}:`];
  lines.push(`   Input:    ${shown(item.inputJson)}`);
  if (item.expectedOutputJson !== undefined) {
    lines.push(`   Expected: ${shown(item.expectedOutputJson)}`);
  }
  lines.push(
    result.error === undefined
      ? `   Actual:   ${shown(result.outputJson)}`
      : `   Error:    ${oneLine(failureText(result.error))}`,
  );
  if (result.evaluations.length > 0) {
    lines.push('', '   Scores:');
    for (const evaluation of result.evaluations) {
      lines.push(`     • ${evaluation.name}: ${verdict(evaluation)}`);
      if (evaluation.comment !== undefined) {
        lines.push(`       💭 ${oneLine(evaluation.comment)}`);
      }
    }
  }
  if (result.traceUrl !== undefined) {
    lines.push('', `   Trace: ${result.traceUrl}`);
  } else if (result.traceId !== undefined) {
    lines.push('', `   Trace ID: ${result.traceId}`);
  }
  return lines;
}

function headLines(experiment: Experiment, results: readonly ItemResult[], trials: number): string[] {
  const items = new Set(results.map((result) => result.item.index)).size;
  const failed = results.filter((result) => result.error !== undefined).length;
  const description = experiment.description === undefined ? '' : ` - ${experiment.description}`;
  const shownTrials = trials > 1 ? `, ${results.length} trials` : '';
  const lines = [
    `🧪 Experiment: ${experiment.name}`,
    `📋 Run name: ${experiment.runName}${description}`,
    `${items} ${items === 1 ? 'item' : 'items'}${shownTrials}, ${failed} failed`,
  ];
  if (experiment.state !== 'SUCCEEDED') {
    const why = experiment.error === undefined ? '' : ` - ${oneLine(failureText(experiment.error))}`;
    lines.push(`State: ${experiment.state}${why}`);
  }
  return lines;
}

function average(name: string, results: readonly ItemResult[]): string {
  const evaluations = results.flatMap((result) => result.evaluations).filter((each) => each.name === name);
  const values = evaluations.map((each) => each.value);
  const numbers = values.filter((value) => typeof value === 'number');
  const booleans = values.filter((value) => typeof value === 'boolean');
  const counted = [...numbers, ...booleans.map(Number)];
  const parts: string[] = [];
  if (counted.length > 0 && numbers.length === 0) {
    const share = fixed(mean(counted) * 100, 1);
    parts.push(`${share}% (${booleans.filter(Boolean).length} of ${booleans.length} true)`);
  } else if (counted.length > 0) {
    parts.push(fixed(mean(counted), 3));
  }
  const labels = values.filter((value) => typeof value === 'string');
  parts.push(...tally(labels).map(([label, count]) => `${label} ${count}`));
  const unscored = evaluations.filter((each) => each.unscored !== undefined).length;
  const errors = evaluations.filter((each) => each.error !== undefined).length;
  if (unscored > 0) {
    parts.push(`${unscored} unscored`);
  }
  if (errors > 0) {
    parts.push(`${errors} ${errors === 1 ? 'error' : 'errors'}`);
  }
  return parts.join(', ');
}

function failureLines(results: readonly ItemResult[]): string[] {
  const errors = results.map((result) => result.error).filter((error) => error !== undefined);
  if (errors.length === 0) {
    return [];
  }
  const messages = new Map(errors.toReversed().map((error) => [error.reason, error.message]));
  const counts = tally(errors.map((error) => error.reason));
  return [
    '',
    'Failures:',
    ...counts.map(([reason, count]) => `  • ${reason}: ${count} (${oneLine(messages.get(reason) ?? '')})`),
  ];
}

function runEvaluationLines(evaluations: readonly Evaluation[]): string[] {
  const lines = evaluations.length > 0 ? ['', 'Run Evaluations:'] : [];
  for (const evaluation of evaluations) {
    lines.push(`  • ${evaluation.name}: ${verdict(evaluation)}`);
    if (evaluation.comment !== undefined) {
      lines.push(`    💭 ${oneLine(evaluation.comment)}`);
    }
  }
  return lines;
}

function gateLines({ gates }: Experiment): string[] {
  const lines = gates.length > 0 ? ['', 'Gates:'] : [];
  for (const { name, passed, message } of gates) {
    const why = message === '' ? '' : ` (${oneLine(message)})`;
    lines.push(`  • ${name}: ${passed ? 'passed' : 'failed'}${why}`);
  }
  return lines;
}

/** Counts texts; the most frequent first, then by their order as text. */
function tally(texts: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}

/** Keeps a text on its line. */
function oneLine(text: string): string {
  return text.includes('\n') ? text.split('\n').join(' ').trim() : text;
}
