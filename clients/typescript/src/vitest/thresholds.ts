import type { ExperimentResult } from '../model/result.js';

/** A bound on a value: at least this number, or a condition such as `'> 0.8'`, `'<= 2.5'` or `'== 1'`. */
export type Threshold = number | string;

const HOLDS: Record<string, (value: number, bound: number) => boolean> = {
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
  '==': (value, bound) => value === bound,
  '!=': (value, bound) => value !== bound,
};
const CONDITION = /^\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*$/;

/**
 * Says why a result misses a threshold; undefined if it does not. A result without the value misses it.
 *
 * @param name - a run evaluation, whose value counts, or else an item evaluation, whose mean counts
 * @param threshold - the bound
 * @param result - the result
 * @throws TypeError if the threshold is none
 */
export function missed(name: string, threshold: Threshold, result: ExperimentResult): string | undefined {
  const [comparison, bound] = parsed(threshold);
  const value = valueOf(name, result);
  const wanted = `${name} ${comparison} ${bound}`;
  if (value === undefined) {
    return `${wanted}: there is no value of ${name}`;
  }
  return HOLDS[comparison]?.(value, bound) === true
    ? undefined
    : `${wanted}: ${name} is ${Number(value.toPrecision(6))}`;
}

function parsed(threshold: Threshold): [comparison: string, bound: number] {
  if (typeof threshold === 'number') {
    return ['>=', threshold];
  }
  const [, comparison = '', text = ''] = CONDITION.exec(threshold) ?? [];
  const bound = Number(text);
  if (comparison === '' || !Number.isFinite(bound)) {
    throw new TypeError(
      `${JSON.stringify(threshold)} is no threshold; write a number, or "> 0.8"; also <, <=, >=, == and !=`,
    );
  }
  return [comparison, bound];
}

function valueOf(name: string, result: ExperimentResult): number | undefined {
  const ofRun = result.runEvaluations.find((evaluation) => evaluation.name === name);
  if (ofRun !== undefined) {
    return ofRun.value === null || typeof ofRun.value === 'string' ? undefined : Number(ofRun.value);
  }
  return result.experiment.summaries.find((summary) => summary.name === name)?.mean;
}
