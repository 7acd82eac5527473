import { toJson } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Connection } from './connection.js';
import type { Definition as DefinitionMessage } from './gen/evalrpc/v1/definition_pb.js';
import { ExperimentService } from './gen/evalrpc/v1/experiment_service_pb.js';
import { ExperimentSpecSchema, type ExperimentSpecJson } from './gen/evalrpc/v1/experiment_spec_pb.js';
import { pages } from './pages.js';

/** An experiment kept on the server under a name, to be started by a webhook. */
export interface Definition {
  /** Its name. */
  readonly name: string;
  /** Its spec in the JSON form of the contract. Absent: it cannot be read, and `problem` says why. */
  readonly experiment?: ExperimentSpecJson;
  /** What is wrong with it as it is now, though an earlier version may still be in use. Empty: nothing. */
  readonly problem: string;
  /** When it was last changed. */
  readonly updateTime?: Date;
}

/** How to list definitions. */
export interface ListDefinitionsOptions {
  /** How many to ask for at once. */
  readonly pageSize?: number;
}

/** Lists the experiments that are kept on the server, by name. */
export async function* listDefinitions(
  connection: Connection,
  options: ListDefinitionsOptions,
): AsyncGenerator<Definition, undefined> {
  const service = connection.service(ExperimentService);
  const fetched = pages((pageToken) =>
    connection.call((call) => service.listDefinitions({ pageSize: options.pageSize ?? 0, pageToken }, call)),
  );
  for await (const page of fetched) {
    yield* page.definitions.map(definitionFromMessage);
  }
}

function definitionFromMessage({ name, experiment, problem, updateTime }: DefinitionMessage): Definition {
  return {
    name,
    ...(experiment && { experiment: toJson(ExperimentSpecSchema, experiment) }),
    problem,
    ...(updateTime && { updateTime: timestampDate(updateTime) }),
  };
}
