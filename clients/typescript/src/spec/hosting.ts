import { createHash } from 'node:crypto';
import type { CompositeEvaluator, Evaluator, ExperimentTask, RunEvaluator } from './functions.js';

/** A function for a worker to host, and what kind it is. */
export type Hosted =
  | { readonly kind: 'task'; readonly run: ExperimentTask }
  | { readonly kind: 'evaluator'; readonly run: Evaluator | CompositeEvaluator }
  | { readonly kind: 'runEvaluator'; readonly run: RunEvaluator };

const LONGEST_ID = 200;

/**
 * Names the functions of one run. The names are derived from its request id, so that no other run takes them, and a
 * process that repeats the request after a crash hosts the same ones and takes the experiment up again.
 */
export class Hosting {
  /** The functions by name. */
  readonly functions = new Map<string, Hosted>();
  readonly #prefix: string;

  constructor(requestId: string) {
    const short = requestId.length <= LONGEST_ID;
    this.#prefix = short ? requestId : createHash('sha256').update(requestId).digest('hex');
  }

  /** Adds a function; returns its name. */
  add(place: string, hosted: Hosted): string {
    const name = `${this.#prefix}/${place}`;
    this.functions.set(name, hosted);
    return name;
  }
}
