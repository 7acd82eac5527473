import { all, type Stage } from '../stage.js';

/** A server of a later version tells of things that this client does not know. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client({ address: stage.scriptedAddress });
  const followed = client.watch('exp_scripted');
  const seen = await all(followed);
  return {
    state: followed.experiment?.state,
    outputs: seen.flatMap((event) =>
      event.kind === 'itemResult' ? [event.itemResult.output as unknown] : [],
    ),
    sequences: seen.map(({ sequence }) => sequence),
  };
}
