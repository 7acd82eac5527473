/** Exponential back-off with jitter: half of each wait is fixed, the other half random. */
export interface Backoff {
  /** The longest first wait, in milliseconds. */
  readonly initialMs: number;
  /** The longest wait of all, in milliseconds. */
  readonly maxMs: number;
}

const RETRY: Backoff = { initialMs: 200, maxMs: 2_000 };

/**
 * Returns how long to wait after a failed attempt, in milliseconds.
 *
 * @param backoff - the bounds
 * @param attempt - which attempt failed, from 1
 * @param random - returns numbers from 0 to 1
 */
export function pause(backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  const longest = Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(attempt - 1, 16));
  return longest * (0.5 + random() / 2);
}

/** Returns how long to wait before a unary call is repeated, in milliseconds. */
export function retryPause(attempt: number): number {
  return pause(RETRY, attempt);
}
