import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Parse } from '../documents.js';
import type { ExperimentEvent as EventMessage } from '../gen/evalrpc/v1/event_pb.js';
import type { ExperimentEvent } from '../model/event.js';
import { evaluationFromMessage } from './evaluations.js';
import { experimentFromMessage, progressFromMessage } from './experiments.js';
import { itemResultFromMessage } from './item-results.js';

/** Reads an event; undefined for a checkpoint, and for a kind that this version does not know. */
export function eventFromMessage<I, E, M, O>(
  message: EventMessage,
  parse: Parse,
): ExperimentEvent<I, E, M, O> | undefined {
  const base = {
    sequence: message.sequence,
    time: message.time && timestampDate(message.time),
    progress: progressFromMessage(message.progress),
  };
  switch (message.kind.case) {
    case 'itemResult':
      return { ...base, kind: 'itemResult', itemResult: itemResultFromMessage(message.kind.value, parse) };
    case 'experiment':
      return { ...base, kind: 'experiment', experiment: experimentFromMessage(message.kind.value, parse) };
    case 'runEvaluations': {
      const runEvaluations = message.kind.value.evaluations.map((each) => evaluationFromMessage(each, parse));
      return { ...base, kind: 'runEvaluations', runEvaluations };
    }
    default:
      return undefined;
  }
}
