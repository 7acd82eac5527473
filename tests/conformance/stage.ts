import { readFileSync } from 'node:fs';
import {
  AlreadyExistsError,
  Client,
  EvalrpcError,
  FailedPreconditionError,
  InvalidRequestError,
  NotFoundError,
  ServerUnreachableError,
  UnauthenticatedError,
  Worker,
  type ClientOptions,
  type Evaluation,
  type ItemResult,
  type WorkerOptions,
} from '@evalrpc/client';

const SECONDS = 60;

interface Told {
  readonly language: string;
  readonly address: string;
  readonly scripted: string;
  readonly wire: { readonly address: string; readonly control: string };
  readonly secured: {
    readonly address: string;
    readonly token: string;
    readonly roots: string;
    readonly other_roots: string;
  };
}

/** Where a feature is shown: the server, and what stands between it and the client. */
export class Stage {
  readonly #told = JSON.parse(process.env['CONFORMANCE'] ?? '') as Told;
  readonly #feature: string;

  constructor(feature: string) {
    this.#feature = feature;
  }

  get address(): string {
    return this.#told.address;
  }

  get wireAddress(): string {
    return this.#told.wire.address;
  }

  get scriptedAddress(): string {
    return this.#told.scripted;
  }

  get token(): string {
    return this.#told.secured.token;
  }

  /** Returns a name that is this feature's and this language's own. */
  unique(name: string): string {
    return `${this.#told.language}-${this.#feature}-${name}`;
  }

  /** Returns a client of the server, or of what listens elsewhere. */
  client(options: ClientOptions = {}): Client {
    return new Client({ address: this.address, ...options });
  }

  /** Returns a client of the server that wants TLS and a token. */
  securedClient({
    token = '',
    roots = 'roots',
  }: {
    token?: string;
    roots?: 'roots' | 'other_roots';
  }): Client {
    const { secured } = this.#told;
    return new Client({
      address: secured.address,
      token,
      tls: { rootCertificates: readFileSync(secured[roots], 'utf8') },
    });
  }

  /** Returns a worker that is to be started. */
  worker({ overWire = false, ...options }: WorkerOptions & { overWire?: boolean } = {}): Worker {
    const address = overWire ? this.wireAddress : this.address;
    return new Worker({ address, maxInFlight: 8, graceMs: SECONDS * 1000, ...options });
  }

  /** Cuts the wire; new connections are relayed. */
  cut(): Promise<void> {
    return this.#tell('cut');
  }

  /** Cuts the wire for longer: until it is mended nobody gets through. */
  sever(): Promise<void> {
    return this.#tell('sever');
  }

  /** Mends the wire. */
  mend(): Promise<void> {
    return this.#tell('mend');
  }

  async #tell(command: string): Promise<void> {
    const { status } = await fetch(`${this.#told.wire.control}/${command}`, { method: 'POST' });
    if (status !== 204) {
      throw new Error(`the wire answers ${status} to ${command}`);
    }
  }
}

/** Counts those who come, and holds them until it is opened. */
export class Gate {
  readonly #opened: Promise<void>;
  #open!: () => void;
  #came = 0;
  #waiting: (() => void)[] = [];

  constructor() {
    this.#opened = new Promise((resolve) => (this.#open = resolve));
  }

  /** Comes to the gate, and waits until it is open. */
  passThrough(): Promise<void> {
    this.#came++;
    this.#waiting.splice(0).forEach((wake) => {
      wake();
    });
    return this.#opened;
  }

  /** Waits until so many more have come. */
  async waitFor(count: number): Promise<void> {
    while (this.#came < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#came -= count;
  }

  /** Lets everybody through, now and later. */
  open(): void {
    this.#open();
  }
}

/** Returns what became of each item. */
export function items(results: readonly ItemResult[]): object[] {
  return results.map((each) => ({
    id: each.item.id,
    output: (each.output ?? null) as unknown,
    error: each.error?.reason ?? null,
    attempts: each.attempts,
    evaluations: evaluations(each.evaluations),
  }));
}

/** Returns what evaluators said: a value, that there is none, or why they failed. */
export function evaluations(said: readonly Evaluation[]): object[] {
  return said.map(({ name, value, unscored, error }) => {
    if (error !== undefined) {
      return { name, error: error.reason };
    }
    return unscored === undefined ? { name, value } : { name, unscored: true };
  });
}

/** Waits for a call that fails, and returns its error. */
export async function errorOf(call: () => unknown): Promise<object> {
  try {
    await call();
  } catch (error) {
    if (error instanceof EvalrpcError) {
      return {
        kind: kindOf(error),
        reason: error.reason ?? null,
        metadata: error.metadata,
        violations: error.violations.map(({ path }) => path),
      };
    }
    throw error;
  }
  throw new Error('the call did not fail');
}

/** Returns all that an iterable yields. */
export async function all<Each>(source: AsyncIterable<Each>): Promise<Each[]> {
  const found: Each[] = [];
  for await (const each of source) {
    found.push(each);
  }
  return found;
}

function kindOf(error: EvalrpcError): string {
  if (error instanceof AlreadyExistsError) return 'already exists';
  if (error instanceof FailedPreconditionError) return 'failed precondition';
  if (error instanceof InvalidRequestError) return 'invalid request';
  if (error instanceof NotFoundError) return 'not found';
  if (error instanceof ServerUnreachableError) return 'unreachable';
  if (error instanceof UnauthenticatedError) return 'unauthenticated';
  return 'other';
}
