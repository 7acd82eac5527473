import { setImmediate } from 'node:timers/promises';
import { Gate, type Stage } from '../stage.js';

/** Promises: four calls meet before any of them answers. */
export async function run(stage: Stage): Promise<unknown> {
  const meeting = new Gate();
  void meeting.waitFor(4).then(() => {
    meeting.open();
  });
  using client = stage.client();
  const result = await client
    .run({
      name: stage.unique('run'),
      data: [0, 1, 2, 3].map((input) => ({ input })),
      task: async ({ input }) => {
        await meeting.passThrough();
        return input ** 2;
      },
      evaluators: [
        async function right({ input, output }) {
          await setImmediate();
          return output === input ** 2;
        },
      ],
      maxConcurrency: 4,
    })
    .result();
  return {
    outputs: result.itemResults.map(({ output }) => output),
    evaluations: result.itemResults.map(({ evaluations }) => evaluations[0]?.value),
  };
}
