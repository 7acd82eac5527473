// Functions for the tests of threads.
export default () => 'default';

export const echo = (params, { attempt, traceContext }) => ({
  params,
  attempt,
  trace: traceContext.traceparent,
});

export const shout = ({ input }) => input.toUpperCase();

export function spin({ input }) {
  const end = performance.now() + input;
  while (performance.now() < end);
}

export function fail({ input }) {
  if (input === 'exit') {
    process.exit(1);
  }
  if (input !== '') {
    throw Object.assign(new Error('failed'), { name: input });
  }
  return 'fine';
}
