import { documentText, type Parse } from '../documents.js';
import {
  ComparisonTest,
  Verdict as VerdictNumber,
  type Comparison as ComparisonMessage,
  type EvaluationComparison as EvaluationComparisonMessage,
  type Flip as FlipMessage,
} from '../gen/evalrpc/v1/comparison_pb.js';
import type { PlanExperimentResponse } from '../gen/evalrpc/v1/comparison_requests_pb.js';
import type { Json } from '../gen/evalrpc/v1/json_pb.js';
import type { Comparison, EvaluationComparison, Flip, Plans, Verdict } from '../model/comparison.js';
import { itemFromMessage } from './item-results.js';

/** Reads a run beside its baseline. */
export function comparisonFromMessage(message: ComparisonMessage, parse: Parse): Comparison {
  const evaluations = message.evaluations.map((each) => evaluationComparison(each, parse));
  return {
    baseline: message.baseline,
    candidate: message.candidate,
    regressed: evaluations.some(({ verdict }) => verdict === 'REGRESSED'),
    evaluations,
    matchedItems: message.matchedItems,
    onlyInBaseline: message.onlyInBaseline,
    onlyInCandidate: message.onlyInCandidate,
  };
}

/** Reads a verdict; one that this version does not know is UNSPECIFIED. */
export function verdictFromMessage(verdict: VerdictNumber): Verdict {
  return (VerdictNumber[verdict] as Verdict | undefined) ?? 'UNSPECIFIED';
}

function evaluationComparison(message: EvaluationComparisonMessage, parse: Parse): EvaluationComparison {
  const { interval, test } = message;
  return {
    name: message.name,
    verdict: verdictFromMessage(message.verdict),
    n: message.n,
    baselineMean: message.baselineMean,
    candidateMean: message.candidateMean,
    difference: message.difference,
    standardError: message.standardError,
    interval: interval && [interval.low, interval.high],
    pValue: message.pValue,
    adjustedPValue: message.adjustedPValue,
    test:
      test === ComparisonTest.UNSPECIFIED
        ? undefined
        : (ComparisonTest[test] as EvaluationComparison['test']),
    correlation: message.correlation,
    minimumDetectableDifference: message.minimumDetectableDifference,
    margin: message.margin,
    gained: message.gained,
    lost: message.lost,
    baselineOnly: message.baselineOnly,
    candidateOnly: message.candidateOnly,
    flips: message.flips.map((each) => flip(each, parse)),
  };
}

function flip(message: FlipMessage, parse: Parse): Flip {
  return {
    item: itemFromMessage(message.item, parse),
    baselineValue: message.baselineValue,
    candidateValue: message.candidateValue,
    baselineOutput: parsed(message.baselineOutput, parse),
    candidateOutput: parsed(message.candidateOutput, parse),
  };
}

function parsed(document: Json | undefined, parse: Parse): unknown {
  const text = documentText(document);
  return text === undefined ? undefined : parse(text);
}

/** Reads plans. */
export function plansFromMessage({ plans, variances }: PlanExperimentResponse): Plans {
  return {
    plans: plans.map(({ trials, items, taskCalls }) => ({ trials, items, taskCalls: Number(taskCalls) })),
    variances: {
      betweenItems: variances?.betweenItems ?? 0,
      baselineWithinItem: variances?.baselineWithinItem ?? 0,
      candidateWithinItem: variances?.candidateWithinItem ?? 0,
    },
  };
}
