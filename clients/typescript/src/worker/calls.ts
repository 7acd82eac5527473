import { create, toBinary } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { evaluationFromMessage, usageFromMessage } from '../convert/evaluations.js';
import { contextFromMessage, itemResultFromMessage } from '../convert/item-results.js';
import { documentText, type Parse } from '../documents.js';
import type { EvaluateItemRequest } from '../gen/evalrpc/v1/evaluation_service_pb.js';
import type { ItemResult as ItemResultMessage } from '../gen/evalrpc/v1/item_result_pb.js';
import type { RunTaskRequest } from '../gen/evalrpc/v1/task_service_pb.js';
import { TaskReportSchema, type Assignment, type TaskReport } from '../gen/evalrpc/v1/worker_messages_pb.js';
import type {
  CallContext,
  CompositeEvaluator,
  EvaluatorParams,
  ExperimentInfo,
  TaskItem,
} from '../spec/functions.js';
import type { Hosted } from '../spec/hosting.js';
import { evaluatorAnswer, taskAnswer } from './answers.js';

const MAX_MESSAGE_CHARACTERS = 2_000;

/** Thrown by a task or an evaluator function to say that the same call may succeed later: it is repeated. */
export class RetryableError extends Error {
  /** The class's name. */
  override readonly name = 'RetryableError';
}

/** What reads documents, and how large a report may be. */
export interface CallSettings {
  readonly parse: Parse;
  readonly maxReportBytes: number;
}

/**
 * Calls a hosted function and returns the report of what became of it. Whatever the function throws becomes part of the
 * report.
 *
 * @param results - the results of the run, for a run evaluator; resolved once all are there
 */
export async function callFunction(
  hosted: Hosted | undefined,
  assignment: Assignment,
  results: Promise<readonly ItemResultMessage[]> | undefined,
  signal: AbortSignal,
  settings: CallSettings,
): Promise<TaskReport> {
  const { taskToken } = assignment;
  try {
    const outcome = await outcomeOf(hosted, assignment, results, signal, settings.parse);
    const report = create(TaskReportSchema, { taskToken, outcome });
    const bytes = toBinary(TaskReportSchema, report).byteLength;
    return bytes <= settings.maxReportBytes ? report : tooLarge(taskToken, bytes, settings.maxReportBytes);
  } catch (error) {
    return failed(taskToken, hosted?.kind === 'task' ? 'TASK_FAILED' : 'EVALUATOR_FAILED', error);
  }
}

/** Returns the report that hands an assignment back before it was begun. */
export function handedBack(taskToken: string, reason: string): TaskReport {
  return create(TaskReportSchema, { taskToken, outcome: { case: 'handback', value: { reason } } });
}

async function outcomeOf(
  hosted: Hosted | undefined,
  assignment: Assignment,
  results: Promise<readonly ItemResultMessage[]> | undefined,
  signal: AbortSignal,
  parse: Parse,
): Promise<TaskReport['outcome']> {
  const { call } = assignment;
  if (hosted?.kind === 'task' && call.case === 'task') {
    const context = callContext(assignment, call.value.experiment, call.value.trial, signal);
    return { case: 'task', value: taskAnswer(await hosted.run(taskItem(call.value, parse), context)) };
  }
  if (hosted?.kind === 'evaluator' && call.case === 'evaluator') {
    const context = callContext(assignment, call.value.experiment, call.value.trial, signal);
    const evaluations = call.value.evaluations.map((each) => evaluationFromMessage(each, parse));
    const run = hosted.run as CompositeEvaluator;
    const answer = await run({ ...evaluatorParams(call.value, parse), evaluations }, context);
    return { case: 'evaluations', value: evaluatorAnswer(answer) };
  }
  if (hosted?.kind === 'runEvaluator' && call.case === 'runEvaluator') {
    const context = callContext(assignment, call.value.experiment, 1, signal);
    const itemResults = ((await results) ?? []).map((each) => itemResultFromMessage(each, parse));
    return { case: 'evaluations', value: evaluatorAnswer(await hosted.run({ itemResults }, context)) };
  }
  throw new TypeError(`this worker hosts no function ${assignment.function} for such a call`);
}

function callContext(
  assignment: Assignment,
  experiment: ExperimentInfo | undefined,
  trial: number,
  signal: AbortSignal,
): CallContext {
  const { id = '', name = '', runName = '' } = experiment ?? {};
  const { attempt, traceContext } = assignment;
  return { signal, trial, attempt, experiment: { id, name, runName }, traceContext };
}

function taskItem(request: RunTaskRequest, parse: Parse): TaskItem {
  const inputJson = documentText(request.input);
  return {
    id: request.itemId,
    input: parsedOrNone(inputJson, parse),
    inputJson,
    expectedOutput: parsedOrNone(documentText(request.expectedOutput), parse),
    metadata: parsedOrNone(documentText(request.metadata), parse),
  };
}

function evaluatorParams(request: EvaluateItemRequest, parse: Parse): EvaluatorParams {
  const [inputJson, outputJson] = [documentText(request.input), documentText(request.output)];
  const expectedOutputJson = documentText(request.expectedOutput);
  return {
    input: parsedOrNone(inputJson, parse),
    output: parsedOrNone(outputJson, parse),
    expectedOutput: parsedOrNone(expectedOutputJson, parse),
    metadata: parsedOrNone(documentText(request.metadata), parse),
    contexts: request.contexts.map(contextFromMessage),
    itemId: request.itemId,
    taskDurationMs: request.taskDuration && durationMs(request.taskDuration),
    usage: request.usage && usageFromMessage(request.usage),
    inputJson,
    outputJson,
    expectedOutputJson,
  };
}

function parsedOrNone(text: string | undefined, parse: Parse): unknown {
  return text === undefined ? undefined : parse(text);
}

function failed(taskToken: string, reason: string, error: unknown): TaskReport {
  const [type, message] =
    error instanceof Error ? [error.name, error.message] : [typeof error, String(error)];
  const value = {
    reason,
    message: (message || type).slice(0, MAX_MESSAGE_CHARACTERS),
    metadata: { error_type: type },
    retryable: error instanceof RetryableError,
  };
  return create(TaskReportSchema, { taskToken, outcome: { case: 'error', value } });
}

function tooLarge(taskToken: string, bytes: number, limit: number): TaskReport {
  const value = {
    reason: 'PAYLOAD_TOO_LARGE',
    message: `The function answered with ${bytes} bytes; the limit is ${limit} bytes.`,
    metadata: { limit_bytes: String(limit), size_bytes: String(bytes) },
  };
  return create(TaskReportSchema, { taskToken, outcome: { case: 'error', value } });
}
