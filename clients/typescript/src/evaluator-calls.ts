import {
  calibrationFromMessage,
  labelledMessage,
  type CalibrateOptions,
  type Calibration,
  type LabelledOutput,
} from './calibration.js';
import type { Connection } from './connection.js';
import { builtinFromMessage, registeredFromMessage } from './convert/evaluators.js';
import type { Parse } from './documents.js';
import { invalidRequest } from './errors.js';
import {
  EvaluatorLevel,
  EvaluatorSpecSchema,
  type EvaluatorSpecJson,
} from './gen/evalrpc/v1/evaluator_pb.js';
import { EvaluatorService } from './gen/evalrpc/v1/evaluator_service_pb.js';
import type { BuiltinEvaluator, RegisteredEvaluator } from './model/evaluators.js';
import { pages } from './pages.js';
import { parsed } from './spec/parsing.js';

/** How an evaluator is registered. */
export interface RegisterOptions {
  /** The name to register it under, where the evaluator has none. */
  readonly name?: string;
  /** What it is for. */
  readonly description?: string;
}

/** Which evaluators to list. */
export interface ListEvaluatorsOptions {
  /** The evaluator whose versions to list, the latest first. Default: the latest version of every evaluator. */
  readonly name?: string;
  /** How many to ask for at once. */
  readonly pageSize?: number;
}

const CALIBRATION_MS = 3_600_000;

const LEVELS = {
  any: EvaluatorLevel.UNSPECIFIED,
  item: EvaluatorLevel.ITEM,
  run: EvaluatorLevel.RUN,
} as const;

/** Calls of `EvaluatorService`. */
export class EvaluatorCalls {
  readonly #connection: Connection;
  readonly #service;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#service = connection.service(EvaluatorService);
  }

  async register(evaluator: EvaluatorSpecJson, options: RegisterOptions): Promise<RegisteredEvaluator> {
    const message = parsed(EvaluatorSpecSchema, evaluator, 'evaluator');
    message.name = options.name ?? message.name;
    const request = { evaluator: message, description: options.description ?? '' };
    const answer = await this.#connection.call((call) => this.#service.registerEvaluator(request, call));
    return registeredFromMessage(answer.evaluator);
  }

  async get(name: string): Promise<RegisteredEvaluator> {
    const answer = await this.#connection.call((call) => this.#service.getEvaluator({ name }, call));
    return registeredFromMessage(answer.evaluator);
  }

  async *list(options: ListEvaluatorsOptions): AsyncGenerator<RegisteredEvaluator, undefined> {
    const request = { name: options.name ?? '', pageSize: options.pageSize ?? 0 };
    const fetched = pages((pageToken) =>
      this.#connection.call((call) => this.#service.listEvaluators({ ...request, pageToken }, call)),
    );
    for await (const page of fetched) {
      yield* page.evaluators.map(registeredFromMessage);
    }
  }

  async delete(name: string): Promise<void> {
    // A repeat of a deletion that went through would say that there is no such evaluator.
    await this.#connection.call((call) => this.#service.deleteEvaluator({ name }, call), {
      repeatable: false,
    });
  }

  async listBuiltin(level: 'item' | 'run' | undefined): Promise<BuiltinEvaluator[]> {
    const request = { level: LEVELS[level ?? 'any'] };
    const answer = await this.#connection.call((call) => this.#service.listBuiltinEvaluators(request, call));
    return answer.evaluators.map(builtinFromMessage);
  }

  async calibrate(
    judge: EvaluatorSpecJson,
    outputs: readonly LabelledOutput[],
    options: CalibrateOptions,
    parse: Parse,
  ): Promise<Calibration> {
    const spec = parsed(EvaluatorSpecSchema, judge, 'judge');
    if (spec.kind.case !== 'judge') {
      throw invalidRequest([{ path: 'judge', description: 'must be what judge() returns' }]);
    }
    const request = {
      judge: spec.kind.value,
      labelledOutputs: outputs.map((each, index) => labelledMessage(each, `outputs[${index}]`)),
      ...(options.positiveFrom !== undefined && { positiveFrom: options.positiveFrom }),
    };
    // A repeat would ask, and pay for, all the models again.
    const answer = await this.#connection.call((call) => this.#service.calibrateJudge(request, call), {
      repeatable: false,
      timeoutMs: options.timeoutMs ?? CALIBRATION_MS,
    });
    return calibrationFromMessage(answer, parse);
  }
}
