import { UnavailableError } from '@evalrpc/client';
import { errorOf, type Stage } from '../stage.js';

/** A run and its functions over TLS; a server of another authority is not trusted. */
export async function run(stage: Stage): Promise<unknown> {
  const { token } = stage;
  using client = stage.securedClient({ token });
  const { itemResults } = await client
    .run({ name: stage.unique('run'), data: [{ input: 2 }], task: ({ input }) => input + 1 })
    .result();
  using distrusting = stage.securedClient({ token, roots: 'other_roots' });
  const distrusted = (await errorOf(() => distrusting.get('exp_none'))) as { kind: string };
  using unencrypted = stage.client({ address: client.address, tls: false });
  const refused = await unencrypted.get('exp_none').then(
    () => false,
    (error: unknown) => error instanceof UnavailableError,
  );
  return { output: itemResults[0]?.output, distrusted: distrusted.kind, unencrypted: refused };
}
