import type { AnyJson } from './documents.js';
import type { EvaluationAnswer, Evaluator, EvaluatorParams } from './spec/functions.js';

/** An evaluator of the autoevals package, by its shape. */
export type Autoevaluator = (params: AnyJson) => Promise<{
  readonly name: string;
  readonly score: number | null;
  readonly metadata?: Readonly<Record<string, AnyJson>> | undefined;
}>;

/**
 * Returns an evaluator of the autoevals package as one of evalrpc's. A score of null is no value, not a 0.
 *
 * @param evaluate - the evaluator, such as `Factuality`
 * @param params - further parameters of it
 */
export function createEvaluatorFromAutoevals(
  evaluate: Autoevaluator,
  params: Readonly<Record<string, AnyJson>> = {},
): Evaluator {
  return async ({
    input,
    output,
    expectedOutput,
  }: EvaluatorParams<unknown, unknown, unknown, unknown>): Promise<EvaluationAnswer> => {
    const { name, score, metadata } = await evaluate({ ...params, input, output, expected: expectedOutput });
    const unscored = score === null ? `${name} gave no score` : undefined;
    return { name, value: score, unscored, metadata };
  };
}
