import { errorOf, type Stage } from '../stage.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

/** A trace of the caller's own is tied to a dataset item, as part of a run. */
export async function run(stage: Stage): Promise<unknown> {
  using client = stage.client();
  const link = (datasetItemId: string, traceId: string) =>
    client.linkDatasetItem({
      datasetName: 'capitals',
      datasetItemId,
      runName: stage.unique('run'),
      traceId,
      observationId: '00f067aa0ba902b7',
      runMetadata: { model: 'm' },
    });
  const { datasetRunId, spanAttributes } = await link('de', TRACE);
  const missing = (await errorOf(() => link('none', TRACE))) as { kind: string; reason: string };
  const wrong = (await errorOf(() => link('de', 'none'))) as { violations: string[] };
  return {
    linked: datasetRunId !== '',
    item: spanAttributes['langfuse.experiment.item.id'],
    root: spanAttributes['langfuse.experiment.item.root_observation_id'],
    missing: { kind: missing.kind, reason: missing.reason },
    wrong: wrong.violations,
  };
}
