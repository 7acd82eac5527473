/** One wrong field of a request. */
export interface Violation {
  /** The field, such as `experiment.evaluators[2].http.url`. Empty: the request as a whole. */
  readonly path: string;
  /** What is wrong with it. */
  readonly description: string;
}

/** What an error tells besides its message. */
export interface ErrorFacts {
  /** The gRPC status code's name, such as `INVALID_ARGUMENT`. */
  readonly code?: string;
  /** A stable name, such as `EXPERIMENT_NOT_FOUND`. */
  readonly reason?: string | undefined;
  /** The facts in the message, by name. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The wrong fields, up to 20. */
  readonly violations?: readonly Violation[];
  /** After how many milliseconds the server suggests to try again. */
  readonly retryAfterMs?: number | undefined;
  /** Under which the call stands in the server's log. */
  readonly requestId?: string | undefined;
  /** What lies behind the error. */
  readonly cause?: unknown;
}

/** A call that failed. Its subclasses say how; `reason` and `metadata` say why in a stable form. */
export class EvalrpcError extends Error {
  /** The gRPC status code's name, such as `INVALID_ARGUMENT`. */
  readonly code: string;
  /** A stable name, such as `EXPERIMENT_NOT_FOUND`; undefined if the error does not come from an evalrpc server. */
  readonly reason: string | undefined;
  /** The facts in the message, by name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The wrong fields, up to 20. */
  readonly violations: readonly Violation[];
  /** After how many milliseconds the server suggests to try again. */
  readonly retryAfterMs: number | undefined;
  /** Under which the call stands in the server's log. */
  readonly requestId: string | undefined;

  /**
   * @param message - one sentence for a person
   * @param facts - what else is known
   */
  constructor(message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = new.target.name;
    this.code = facts.code ?? 'UNKNOWN';
    this.reason = facts.reason;
    this.metadata = facts.metadata ?? {};
    this.violations = facts.violations ?? [];
    this.retryAfterMs = facts.retryAfterMs;
    this.requestId = facts.requestId;
  }
}

/** The request is wrong; `violations` names the fields. Some of them are found before anything is sent. */
export class InvalidRequestError extends EvalrpcError {}

/** Something that the request names does not exist. */
export class NotFoundError extends EvalrpcError {}

/** The request id belongs to an experiment of other content. */
export class AlreadyExistsError extends EvalrpcError {}

/** The request is right, and the server is not in the state for it. */
export class FailedPreconditionError extends EvalrpcError {}

/** The events asked for are no longer kept, or have not happened. */
export class OutOfRangeError extends EvalrpcError {}

/** The call carries no valid token or client certificate. */
export class UnauthenticatedError extends EvalrpcError {}

/** The token is valid and does not allow this call. */
export class PermissionDeniedError extends EvalrpcError {}

/** A limit is reached: open calls, a rate, the store's room, the size of a message. */
export class ResourceExhaustedError extends EvalrpcError {}

/** No server answers, or it is about to shut down. */
export class UnavailableError extends EvalrpcError {}

/** There is no connection to the server at all: nothing listens, the name is unknown, or TLS failed. */
export class ServerUnreachableError extends UnavailableError {}

/** No answer came within the call's time limit. */
export class DeadlineExceededError extends EvalrpcError {}

/** This server does not support the call or the field. */
export class NotImplementedByServerError extends EvalrpcError {}

/** A fault of the server; `metadata.error_id` stands in its log. Or an answer that is not gRPC. */
export class InternalError extends EvalrpcError {}

/**
 * The stream of events broke off, and could not be taken up again for as long as the caller wanted to wait.
 * The experiment itself goes on; watch it later by its id.
 */
export class WatchInterruptedError extends UnavailableError {}

/**
 * Returns the error for a request that is wrong before anything was sent.
 *
 * @internal
 */
export function invalidRequest(violations: readonly Violation[], cause?: unknown): InvalidRequestError {
  const [first] = violations;
  const message =
    violations.length === 1 && first !== undefined
      ? [first.path, first.description].filter((part) => part !== '').join(': ')
      : `${violations.length} fields are wrong`;
  return new InvalidRequestError(message, {
    code: 'INVALID_ARGUMENT',
    reason: 'INVALID_FIELD',
    violations,
    cause,
  });
}
