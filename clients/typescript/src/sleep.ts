import { setTimeout } from 'node:timers/promises';

/**
 * Waits.
 *
 * @param milliseconds - how long
 * @param signal - ends the wait early
 * @throws the signal's reason
 */
export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
