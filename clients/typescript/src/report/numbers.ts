/**
 * Returns a number with a fixed count of decimals. Exact halves go to the even digit, as they do in Python, so that every
 * client of a run prints the same figures; `toFixed` rounds them up.
 *
 * @param value - a finite number
 * @param decimals - how many decimals, from 0 to 20
 */
export function fixed(value: number, decimals: number): string {
  const scaled = value * 2 ** (decimals + 1); // a whole odd number for exact halves alone
  if (!Number.isInteger(scaled) || scaled % 2 === 0) {
    return value.toFixed(decimals);
  }
  const doubled = Math.abs(scaled) * 5 ** decimals; // twice the value in units of its last decimal
  const below = Math.floor(doubled / 2);
  const digits = String(below % 2 === 0 ? below : below + 1).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  return `${value < 0 ? '-' : ''}${digits.slice(0, point)}${decimals > 0 ? '.' : ''}${digits.slice(point)}`;
}

/** Returns the mean; the sum is compensated (Neumaier 1974), so that it does not depend on the order. */
export function mean(values: readonly number[]): number {
  let sum = 0;
  let lost = 0;
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return (sum + lost) / values.length;
}
