import { ExperimentState as StateNumber } from '../gen/evalrpc/v1/experiment_pb.js';
import type { ExperimentState } from '../model/experiment.js';

const NUMBERS: Record<ExperimentState, StateNumber> = {
  UNSPECIFIED: StateNumber.UNSPECIFIED,
  PENDING: StateNumber.PENDING,
  RUNNING: StateNumber.RUNNING,
  CANCELLING: StateNumber.CANCELLING,
  SUCCEEDED: StateNumber.SUCCEEDED,
  FAILED: StateNumber.FAILED,
  CANCELLED: StateNumber.CANCELLED,
};

const ENDED: ReadonlySet<ExperimentState> = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED'] as const);

/** Returns a state of the contract; one that this version does not know is UNSPECIFIED. */
export function stateFromMessage(number: StateNumber): ExperimentState {
  return (StateNumber[number] as ExperimentState | undefined) ?? 'UNSPECIFIED';
}

/**
 * Returns a state's number in the contract.
 *
 * @throws TypeError if there is no such state
 */
export function stateNumber(state: ExperimentState): StateNumber {
  if (!Object.hasOwn(NUMBERS, state)) {
    throw new TypeError(
      `${JSON.stringify(state)} is no state; the states are ${Object.keys(NUMBERS).join(', ')}`,
    );
  }
  return NUMBERS[state];
}

/**
 * Tells whether nothing more happens in a state.
 *
 * @param state - the state of an experiment
 */
export function hasEnded(state: ExperimentState): boolean {
  return ENDED.has(state);
}
