import { errorOf, type Stage } from '../stage.js';

/** A server that asks for a token lets in whoever has one. */
export async function run(stage: Stage): Promise<unknown> {
  const answer = async (token: string) => {
    using client = stage.securedClient({ token });
    const error = await errorOf(() => client.get('exp_none'));
    const { kind, reason } = error as { kind: string; reason: string };
    return { kind, reason };
  };
  return {
    let_in: (await answer(stage.token)).kind,
    without: await answer(''),
    with_another: await answer('none'),
  };
}
