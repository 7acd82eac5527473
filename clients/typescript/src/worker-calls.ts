import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Connection } from './connection.js';
import { textOrNone } from './convert/evaluations.js';
import { FunctionKind, WorkerState, type Worker } from './gen/evalrpc/v1/worker_pb.js';
import { WorkerService } from './gen/evalrpc/v1/worker_service_pb.js';
import type { ConnectedWorker, HostedFunction } from './model/worker.js';
import { pages } from './pages.js';

/** Which workers to list. */
export interface ListWorkersOptions {
  /** Only workers that host this function. */
  readonly function?: string;
  /** How many to ask for at once. */
  readonly pageSize?: number;
}

/** Lists the workers that are connected, by id. */
export async function* listWorkers(
  connection: Connection,
  options: ListWorkersOptions,
): AsyncGenerator<ConnectedWorker, undefined> {
  const service = connection.service(WorkerService);
  const request = { function: options.function ?? '', pageSize: options.pageSize ?? 0 };
  const fetched = pages((pageToken) =>
    connection.call((call) => service.listWorkers({ ...request, pageToken }, call)),
  );
  for await (const page of fetched) {
    yield* page.workers.map(workerFromMessage);
  }
}

function workerFromMessage(message: Worker): ConnectedWorker {
  const { id, maxInFlight, inFlight, completed, failed, lost, clientName, clientVersion } = message;
  return {
    id,
    functions: message.functions.map(({ name, kind, description }) => ({
      name,
      kind: (FunctionKind[kind] as HostedFunction['kind'] | undefined) ?? 'UNSPECIFIED',
      description: textOrNone(description),
    })),
    state: (WorkerState[message.state] as ConnectedWorker['state'] | undefined) ?? 'UNSPECIFIED',
    maxInFlight,
    inFlight,
    completed,
    failed,
    lost,
    clientName,
    clientVersion,
    connectTime: message.connectTime && timestampDate(message.connectTime),
    lastHeartbeatTime: message.lastHeartbeatTime && timestampDate(message.lastHeartbeatTime),
  };
}
