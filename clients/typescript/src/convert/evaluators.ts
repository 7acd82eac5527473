import { toJson } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import {
  EvaluatorLevel,
  EvaluatorSpecSchema,
  type Builtin,
  type Evaluator,
} from '../gen/evalrpc/v1/evaluator_pb.js';
import type { BuiltinEvaluator, RegisteredEvaluator } from '../model/evaluators.js';
import { textOrNone } from './evaluations.js';

/** Reads a registered evaluator. */
export function registeredFromMessage(message: Evaluator | undefined): RegisteredEvaluator {
  if (message === undefined) {
    throw new TypeError('the server sent no evaluator');
  }
  return {
    name: message.name,
    version: message.version,
    spec: message.spec === undefined ? {} : toJson(EvaluatorSpecSchema, message.spec),
    description: textOrNone(message.description),
    createTime: message.createTime && timestampDate(message.createTime),
  };
}

/** Reads one of the server's own evaluators. */
export function builtinFromMessage(message: Builtin): BuiltinEvaluator {
  return {
    name: message.name,
    level: message.level === EvaluatorLevel.RUN ? 'run' : 'item',
    description: message.description,
    paramsSchema: message.paramsSchema ?? {},
  };
}
