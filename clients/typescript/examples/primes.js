/** Computes for a while; called in a thread by worker.ts. */
export function nthPrime({ input }) {
  const primes = [];
  for (let candidate = 2; primes.length < input; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) {
      primes.push(candidate);
    }
  }
  return primes.at(-1);
}
