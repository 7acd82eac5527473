import { durationMs, timestampDate } from '@bufbuild/protobuf/wkt';
import { documentText, type Parse } from '../documents.js';
import type { Context as ContextMessage, ExperimentItem } from '../gen/evalrpc/v1/item_pb.js';
import type { ItemResult as ItemResultMessage } from '../gen/evalrpc/v1/item_result_pb.js';
import { type Context, Item, ItemResult } from '../model/item-result.js';
import { evaluationFromMessage, failureFromMessage, textOrNone, usageFromMessage } from './evaluations.js';

/** Reads a result. */
export function itemResultFromMessage<I, E, M, O>(
  message: ItemResultMessage,
  parse: Parse,
): ItemResult<I, E, M, O> {
  return new ItemResult(
    {
      item: itemFromMessage<I, E, M>(message.item, parse),
      trial: message.trial,
      outputJson: documentText(message.output),
      evaluations: message.evaluations.map((evaluation) => evaluationFromMessage(evaluation, parse)),
      error: message.error && failureFromMessage(message.error),
      contexts: message.contexts.map(contextFromMessage),
      traceId: textOrNone(message.traceId),
      traceUrl: textOrNone(message.traceUrl),
      startTime: message.startTime && timestampDate(message.startTime),
      taskDurationMs: message.taskDuration && durationMs(message.taskDuration),
      evaluationDurationMs: message.evaluationDuration && durationMs(message.evaluationDuration),
      attempts: message.attempts,
      usage: message.usage && usageFromMessage(message.usage),
      outputMetadataJson: documentText(message.outputMetadata),
    },
    parse,
  );
}

/** Reads a passage that a task used. */
export function contextFromMessage(message: ContextMessage): Context {
  return {
    text: message.text,
    ...(message.id !== '' && { id: message.id }),
    ...(message.source !== '' && { source: message.source }),
    ...(message.score !== undefined && { score: message.score }),
  };
}

/** Reads an item as results carry it. */
export function itemFromMessage<I, E, M>(message: ExperimentItem | undefined, parse: Parse): Item<I, E, M> {
  return new Item(
    {
      id: message?.id ?? '',
      index: message?.index ?? 0,
      datasetItemId: textOrNone(message?.datasetItemId ?? ''),
      inputJson: documentText(message?.input),
      expectedOutputJson: documentText(message?.expectedOutput),
      metadataJson: documentText(message?.metadata),
    },
    parse,
  );
}
