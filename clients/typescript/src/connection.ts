import {
  createClient,
  type CallOptions,
  type Client as ServiceClient,
  type Interceptor,
  type Transport,
} from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import type { DescService } from '@bufbuild/protobuf';
import type { SecureClientSessionOptions } from 'node:http2';
import { retryPause } from './backoff.js';
import { errorFromCall } from './error-mapping.js';
import { EvalrpcError, UnavailableError } from './errors.js';
import { sleep } from './sleep.js';
import { CLIENT_NAME, VERSION } from './version.js';

const DEFAULT_ADDRESS = 'localhost:50051';
const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_ATTEMPTS = 4;
/** A frozen server is noticed within 15 s: a ping every 10 s, 5 s for its answer. */
const KEEP_ALIVE = { pingIntervalMs: 10_000, pingTimeoutMs: 5_000 };
/** Node refuses streams beyond 10 MB of queued frames, which a few large documents reach. */
const MAX_SESSION_MEGABYTES = 256;

/** How to encrypt the connection and whom to trust; each is PEM text. */
export interface TlsOptions {
  /** Certificates of the authorities to trust. Default: Node's own. */
  readonly rootCertificates?: string | Uint8Array;
  /** The client's own certificate with its chain, where the server asks for one. */
  readonly clientCertificate?: string | Uint8Array;
  /** The private key of that certificate. */
  readonly clientKey?: string | Uint8Array;
  /** The name to expect in the server's certificate, where it is not the address's. */
  readonly serverName?: string;
}

/** How to reach a server. */
export interface ConnectionOptions {
  /** `host:port`, or `https://host:port` for TLS. Default: EVALRPC_ADDRESS, or localhost:50051. */
  readonly address?: string;
  /** A bearer token. Default: EVALRPC_TOKEN, or none. */
  readonly token?: string;
  /** Whether to encrypt, or how. Default: as the address says. */
  readonly tls?: boolean | TlsOptions;
  /** How long a call may take, in milliseconds, streams of events and uploads apart. Default: 30,000. */
  readonly timeoutMs?: number;
}

/** How a single call is made. */
export interface CallSettings {
  /** Whether a call that failed with UNAVAILABLE is repeated. Default: it is. */
  readonly repeatable?: boolean;
  /** Ends the call early. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call may take, in milliseconds. Default: as all calls of the connection. */
  readonly timeoutMs?: number | undefined;
}

/** A connection, opened by the first call over it, and calls with this package's errors. */
export class Connection {
  readonly address: string;
  readonly #transport: Transport;
  readonly #sessions: Http2SessionManager;
  readonly #timeoutMs: number;
  #closed = false;

  /** @throws TypeError if the address is none */
  constructor(options: ConnectionOptions) {
    const { address, baseUrl } = target(options);
    this.address = address;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#sessions = new Http2SessionManager(baseUrl, KEEP_ALIVE, sessionOptions(options.tls));
    this.#transport = createGrpcTransport({
      baseUrl,
      sessionManager: this.#sessions,
      interceptors: [introduction(options.token ?? process.env['EVALRPC_TOKEN'])],
      readMaxBytes: MAX_MESSAGE_BYTES,
      writeMaxBytes: MAX_MESSAGE_BYTES,
    });
  }

  /** Returns a stub of a service. What its calls throw is for {@link call} or `errorFromCall` to read. */
  service<Service extends DescService>(service: Service): ServiceClient<Service> {
    return createClient(service, this.#transport);
  }

  /**
   * Makes a unary call within the connection's time limit, and repeats it where that is safe.
   *
   * @throws {@link EvalrpcError} if the call failed; the signal's reason if that ended it
   */
  async call<Answer>(
    method: (options: CallOptions) => Promise<Answer>,
    { repeatable = true, signal, timeoutMs: limitMs = this.#timeoutMs }: CallSettings = {},
  ): Promise<Answer> {
    const deadline = performance.now() + limitMs;
    for (let attempt = 1; ; attempt++) {
      try {
        const timeoutMs = Math.max(1, Math.ceil(deadline - performance.now())); // whole, as the wire has it
        return await method({ timeoutMs, ...(signal && { signal }) });
      } catch (thrown) {
        signal?.throwIfAborted();
        this.throwIfClosed();
        const error = errorFromCall(thrown, this.address);
        if (!repeatable || !(error instanceof UnavailableError) || attempt >= MAX_ATTEMPTS) {
          throw error;
        }
        const pauseMs = Math.max(retryPause(attempt), error.retryAfterMs ?? 0);
        if (performance.now() + pauseMs >= deadline) {
          throw error;
        }
        await sleep(pauseMs, signal);
      }
    }
  }

  /** Closes the connection and ends all calls over it. */
  close(): void {
    this.#closed = true;
    this.#sessions.abort();
  }

  /**
   * Ends what would otherwise connect anew.
   *
   * @throws {@link EvalrpcError} if the connection was closed
   */
  throwIfClosed(): void {
    if (this.#closed) {
      throw new EvalrpcError('the client was closed', { code: 'CANCELLED' });
    }
  }
}

/** Says with every call who makes it. */
function introduction(token: string | undefined): Interceptor {
  return (next) => (request) => {
    request.header.set('evalrpc-client', `${CLIENT_NAME}/${VERSION}`);
    if (token !== undefined && token !== '') {
      request.header.set('authorization', `Bearer ${token}`);
    }
    return next(request);
  };
}

function target(options: ConnectionOptions): { address: string; baseUrl: string } {
  const given = options.address ?? process.env['EVALRPC_ADDRESS'] ?? DEFAULT_ADDRESS;
  const hasScheme = /^https?:\/\//.test(given);
  const encrypted = given.startsWith('https://') || (options.tls ?? false) !== false;
  const address = hasScheme ? given.replace(/^https?:\/\//, '').replace(/\/$/, '') : given;
  const baseUrl = `${encrypted ? 'https' : 'http'}://${address}`;
  if (!URL.canParse(baseUrl) || new URL(baseUrl).pathname !== '/' || /[/?#@]/.test(address)) {
    throw new TypeError(`address must be host:port, not ${JSON.stringify(given)}`);
  }
  return { address, baseUrl };
}

function sessionOptions(tls: boolean | TlsOptions | undefined): SecureClientSessionOptions {
  const settings = typeof tls === 'object' ? tls : {};
  const options: SecureClientSessionOptions = { maxSessionMemory: MAX_SESSION_MEGABYTES };
  if (settings.rootCertificates !== undefined) {
    options.ca = pem(settings.rootCertificates);
  }
  if (settings.clientCertificate !== undefined) {
    options.cert = pem(settings.clientCertificate);
  }
  if (settings.clientKey !== undefined) {
    options.key = pem(settings.clientKey);
  }
  if (settings.serverName !== undefined) {
    options.servername = settings.serverName;
  }
  return options;
}

function pem(source: string | Uint8Array): string | Buffer {
  return typeof source === 'string' ? source : Buffer.from(source);
}
