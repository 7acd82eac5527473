import { Code, ConnectError } from '@connectrpc/connect';
import { readStatusDetails, type SerializedDetail } from './error-details.js';
import {
  AlreadyExistsError,
  DeadlineExceededError,
  EvalrpcError,
  FailedPreconditionError,
  InternalError,
  InvalidRequestError,
  NotFoundError,
  NotImplementedByServerError,
  OutOfRangeError,
  PermissionDeniedError,
  ResourceExhaustedError,
  ServerUnreachableError,
  UnauthenticatedError,
  UnavailableError,
} from './errors.js';

const KINDS: Partial<Record<Code, typeof EvalrpcError>> = {
  [Code.InvalidArgument]: InvalidRequestError,
  [Code.NotFound]: NotFoundError,
  [Code.AlreadyExists]: AlreadyExistsError,
  [Code.FailedPrecondition]: FailedPreconditionError,
  [Code.OutOfRange]: OutOfRangeError,
  [Code.Unauthenticated]: UnauthenticatedError,
  [Code.PermissionDenied]: PermissionDeniedError,
  [Code.ResourceExhausted]: ResourceExhaustedError,
  [Code.Unavailable]: UnavailableError,
  // Who cancels a call gets the reason of the cancellation instead; this one was cut off on its way.
  [Code.Canceled]: UnavailableError,
  [Code.DeadlineExceeded]: DeadlineExceededError,
  [Code.Unimplemented]: NotImplementedByServerError,
  [Code.Internal]: InternalError,
  [Code.DataLoss]: InternalError,
};

/** Node's names of failures before there is a connection; those of certificates are told by their pattern. */
const UNCONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPROTO',
]);
const CERTIFICATE = /CERT|SELF_SIGNED|^ERR_(SSL|TLS)_|UNABLE_TO_VERIFY/;
const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Returns the typed error for whatever a call threw, from its status and its details (AIP-193). */
export function errorFromCall(thrown: unknown, address: string): EvalrpcError {
  if (thrown instanceof EvalrpcError) {
    return thrown;
  }
  const failure = ConnectError.from(thrown, Code.Internal);
  const details = readStatusDetails(failure.details.filter(isSerialized));
  if (details.reason === undefined) {
    const broken = connectionError(thrown, failure, address);
    if (broken !== undefined) {
      return broken;
    }
  }
  const kind = KINDS[failure.code] ?? EvalrpcError;
  return new kind(failure.rawMessage, {
    ...details,
    code: codeName(failure.code),
    requestId: failure.metadata.get('evalrpc-request-id') ?? undefined,
    cause: failure,
  });
}

/** Returns the error of a connection that never was, or that broke; undefined if the call failed otherwise. */
function connectionError(
  thrown: unknown,
  failure: ConnectError,
  address: string,
): UnavailableError | undefined {
  const cause = networkError(thrown);
  if (cause === undefined) {
    return undefined;
  }
  if (UNCONNECTED.has(cause.code) || CERTIFICATE.test(cause.code)) {
    const listen = address.includes('://') || !isLocal(address) ? 'HOST:PORT' : address;
    return new ServerUnreachableError(
      `no evalrpc server can be reached at ${address} (${cause.message || cause.code}); ` +
        `start one with \`evalrpc-server serve --listen ${listen}\`, or give another address`,
      { code: 'UNAVAILABLE', cause: failure },
    );
  }
  return new UnavailableError(`the connection to ${address} broke: ${cause.message}`, {
    code: 'UNAVAILABLE',
    cause: failure,
  });
}

/** Returns Node's own error behind an error, as far as it is one of the network. */
function networkError(thrown: unknown): (Error & { code: string }) | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth++) {
    // The several addresses of a name are tried in turn; their failures then come together.
    const single = error instanceof AggregateError ? (error.errors as unknown[])[0] : error;
    if (single instanceof Error && 'code' in single && typeof single.code === 'string') {
      return single as Error & { code: string };
    }
  }
  return undefined;
}

function isLocal(address: string): boolean {
  return LOCAL_HOSTS.has(address.slice(0, address.lastIndexOf(':')));
}

function isSerialized(detail: object): detail is SerializedDetail {
  return 'type' in detail && 'value' in detail && detail.value instanceof Uint8Array;
}

/** Returns a code's name as gRPC writes it, such as `INVALID_ARGUMENT`. */
function codeName(code: Code): string {
  const name = code === Code.Canceled ? 'Cancelled' : Code[code];
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}
