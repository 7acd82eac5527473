import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Connection } from './connection.js';
import { comparisonFromMessage, plansFromMessage } from './convert/comparisons.js';
import type { Parse } from './documents.js';
import type { ExperimentRefSchema } from './gen/evalrpc/v1/comparison_pb.js';
import { ExperimentService } from './gen/evalrpc/v1/experiment_service_pb.js';
import type { CompareOptions, Comparison, PlanOptions, Plans, RunReference } from './model/comparison.js';

/** Sets runs beside the first of them. */
export async function compareRuns(
  connection: Connection,
  runs: readonly RunReference[],
  options: CompareOptions,
  parse: Parse,
): Promise<readonly Comparison[]> {
  const service = connection.service(ExperimentService);
  const request = {
    experiments: runs.map(reference),
    evaluations: [...(options.evaluations ?? [])],
    margin: options.margin ?? 0,
    margins: { ...options.margins },
    clusterBy: options.clusterBy ?? '',
    lowerIsBetter: [...(options.lowerIsBetter ?? [])],
    ...(options.confidence !== undefined && { confidence: options.confidence }),
    ...(options.maxFlips !== undefined && { maxFlips: options.maxFlips }),
  };
  const answer = await connection.call((call) => service.compareExperiments(request, call));
  return answer.comparisons.map((each) => comparisonFromMessage(each, parse));
}

/** Computes how many items and trials show a difference. */
export async function planExperiment(
  connection: Connection,
  difference: number,
  { variances, trials, power, significance }: PlanOptions,
): Promise<Plans> {
  const service = connection.service(ExperimentService);
  const request = {
    difference,
    trials: [...(trials ?? [])],
    ...(power !== undefined && { power }),
    ...(significance !== undefined && { significance }),
    variances:
      'experimentId' in variances
        ? { case: 'measured' as const, value: { candidateId: '', ...variances } }
        : { case: 'given' as const, value: variances },
  };
  return plansFromMessage(await connection.call((call) => service.planExperiment(request, call)));
}

function reference(run: RunReference): MessageInitShape<typeof ExperimentRefSchema> {
  if (typeof run === 'string') {
    return { source: { case: 'id', value: run } };
  }
  if ('id' in run) {
    return { source: { case: 'id', value: run.id } };
  }
  const { dataset, runName, project = '' } = run;
  return { source: { case: 'langfuseRun', value: { dataset, runName, project } } };
}
