import type { AnyJson } from '../documents.js';
import type { Item } from './item-result.js';

/** How a candidate stands to its baseline. INCONCLUSIVE: the data do not tell. */
export type Verdict = 'UNSPECIFIED' | 'PASS' | 'REGRESSED' | 'IMPROVED' | 'INCONCLUSIVE';

/** A run that Langfuse has. */
export interface LangfuseRun {
  /** The dataset's name. */
  readonly dataset: string;
  /** The run's name. */
  readonly runName: string;
  /** The project, by its name on the server. Default: the only one there. */
  readonly project?: string;
}

/** A run to compare: an experiment, its id, or a run that Langfuse has. */
export type RunReference = string | { readonly id: string } | LangfuseRun;

/** How runs are compared. */
export interface CompareOptions {
  /** The only evaluations to compare, by name. Default: all. */
  readonly evaluations?: readonly string[];
  /** By how much a candidate may be worse and still pass. Default: 0. */
  readonly margin?: number;
  /** The same for single evaluations, by name. */
  readonly margins?: Readonly<Record<string, number>>;
  /** The confidence of intervals and verdicts. Default: 0.95. */
  readonly confidence?: number;
  /** The path within item metadata that tells which items belong together. Default: the baseline's. */
  readonly clusterBy?: string;
  /** The evaluations of which less is better, such as latency, by name. */
  readonly lowerIsBetter?: readonly string[];
  /** How many changed items to return per evaluation. Default: 20. */
  readonly maxFlips?: number;
}

/** A run beside its baseline, item by item. */
export interface Comparison {
  /** The baseline's id or run name. */
  readonly baseline: string;
  /** The candidate's id or run name. */
  readonly candidate: string;
  /** Whether any evaluation is worse than the baseline's, with confidence. */
  readonly regressed: boolean;
  /** The evaluations of which both runs have numbers or booleans, by name. */
  readonly evaluations: readonly EvaluationComparison[];
  /** Items that both runs have. */
  readonly matchedItems: number;
  /** Ids that only the baseline has, the first thousand. */
  readonly onlyInBaseline: readonly string[];
  /** Ids that only the candidate has, the first thousand. */
  readonly onlyInCandidate: readonly string[];
}

/** One evaluation over the items that have a value in both runs; what cannot be computed is undefined. */
export interface EvaluationComparison {
  /** The evaluation's name. */
  readonly name: string;
  /** The verdict against the margin. */
  readonly verdict: Verdict;
  /** The items that have a value in both runs. */
  readonly n: number;
  /** The baseline's mean over them. */
  readonly baselineMean: number;
  /** The candidate's mean over them. */
  readonly candidateMean: number;
  /** The mean of the differences, candidate less baseline. */
  readonly difference: number;
  /** The difference's standard error. */
  readonly standardError: number | undefined;
  /** The difference's interval, low and high. */
  readonly interval: readonly [low: number, high: number] | undefined;
  /** The probability of such a difference by chance. */
  readonly pValue: number | undefined;
  /** The same, corrected for the number of evaluations. */
  readonly adjustedPValue: number | undefined;
  /** The test behind the p value. */
  readonly test: 'PAIRED_T' | 'MCNEMAR_EXACT' | 'SIGN_FLIP' | undefined;
  /** The correlation of both runs' values. */
  readonly correlation: number | undefined;
  /** What so many items show with a power of 0.8. */
  readonly minimumDetectableDifference: number | undefined;
  /** By how much the candidate may be worse. */
  readonly margin: number;
  /** Items whose value became better. */
  readonly gained: number;
  /** Items whose value became worse. */
  readonly lost: number;
  /** Matched items with a value in the baseline alone. */
  readonly baselineOnly: number;
  /** Matched items with a value in the candidate alone. */
  readonly candidateOnly: number;
  /** The items whose value changed most, losses first. */
  readonly flips: readonly Flip[];
}

/** An item whose value changed. */
export interface Flip {
  /** The item, as the candidate has it. */
  readonly item: Item;
  /** The value before. */
  readonly baselineValue: number;
  /** The value after. */
  readonly candidateValue: number;
  /** The output before, of the first trial; undefined if there is none. */
  readonly baselineOutput: AnyJson;
  /** The output after, of the first trial; undefined if there is none. */
  readonly candidateOutput: AnyJson;
}

/** What scatters. */
export interface Variances {
  /** Variance of the items' difference, without the scatter of trials. */
  readonly betweenItems: number;
  /** Variance of one item's trials in the baseline. */
  readonly baselineWithinItem: number;
  /** Variance of one item's trials in the candidate. */
  readonly candidateWithinItem: number;
}

/** An experiment whose values tell what scatters, best one with several trials. */
export interface MeasuredVariances {
  /** The experiment's id. */
  readonly experimentId: string;
  /** The evaluation's name. */
  readonly evaluation: string;
  /** Another experiment over the same items, whose difference to the first is measured. */
  readonly candidateId?: string;
}

/** What to plan for. */
export interface PlanOptions {
  /** What scatters: numbers, or an experiment to measure it in. */
  readonly variances: Variances | MeasuredVariances;
  /** The numbers of trials to plan for. Default: 1, 2, 3, 5 and 10. */
  readonly trials?: readonly number[];
  /** The chance to see the difference where it is. Default: 0.8. */
  readonly power?: number;
  /** The chance to see it where it is not. Default: 0.05. */
  readonly significance?: number;
}

/** So many items with so many trials each. */
export interface ExperimentPlan {
  /** Trials per item. */
  readonly trials: number;
  /** Items needed. */
  readonly items: number;
  /** Task calls that one run of them takes. */
  readonly taskCalls: number;
}

/** The plans, one for each number of trials, and the variances that they are for. */
export interface Plans {
  /** The plans, in the order of the trials asked for. */
  readonly plans: readonly ExperimentPlan[];
  /** What they are for. */
  readonly variances: Variances;
}
