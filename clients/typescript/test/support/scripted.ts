import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { once } from 'node:events';
import { createSecureServer, createServer, type Http2Server, type SecureServerOptions } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { ExperimentEventSchema, type ExperimentEvent } from '../../src/gen/evalrpc/v1/event_pb.js';
import { ExperimentState } from '../../src/gen/evalrpc/v1/experiment_pb.js';
import {
  ExperimentService,
  type RunExperimentRequest,
  type WatchExperimentRequest,
} from '../../src/gen/evalrpc/v1/experiment_service_pb.js';

export const ID = 'exp_scripted';

/** What a stream does next: send an event, or something else, such as fail. */
export type Step = ExperimentEvent | ((context: HandlerContext) => void | Promise<void>);

/** A gRPC server that does as it is told, for what the real one does only when things go wrong. */
export class Scripted implements AsyncDisposable {
  scripts: Step[][] = [];
  answers: ((context: HandlerContext) => void | Promise<void>)[] = [];
  readonly runs: RunExperimentRequest[] = [];
  readonly watches: WatchExperimentRequest[] = [];
  readonly headers: Headers[] = [];
  readonly #server: Http2Server;
  readonly #sessions = new Set<{ destroy(): void }>();

  private constructor(tls: SecureServerOptions | undefined) {
    const handler = connectNodeAdapter({
      connect: false,
      grpcWeb: false,
      routes: (router) =>
        router.service(ExperimentService, {
          runExperiment: (request, context) => {
            this.runs.push(request);
            return this.#played(context);
          },
          watchExperiment: (request, context) => {
            this.watches.push(request);
            return this.#played(context);
          },
          getExperiment: async ({ id }, context) => {
            this.headers.push(context.requestHeader);
            await this.answers.shift()?.(context);
            return { experiment: { id } };
          },
        }),
    });
    this.#server = tls === undefined ? createServer(handler) : createSecureServer(tls, handler);
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
    });
  }

  /** Starts a server on a free port. */
  static async start(tls?: SecureServerOptions): Promise<Scripted> {
    const scripted = new Scripted(tls);
    scripted.#server.listen(0, '127.0.0.1');
    await once(scripted.#server, 'listening');
    return scripted;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#sessions.forEach((session) => {
      session.destroy();
    });
    await closed;
  }

  async *#played(context: HandlerContext) {
    this.headers.push(context.requestHeader);
    for (const step of this.scripts.shift() ?? []) {
      if (typeof step === 'function') {
        await step(context);
      } else {
        yield { event: step };
      }
    }
  }
}

const event = (sequence: number, kind: MessageInitShape<typeof ExperimentEventSchema>['kind']) =>
  create(ExperimentEventSchema, { sequence, ...(kind && { kind }) });

/** Returns an event that tells a state. */
export const state = (sequence: number, name: keyof typeof ExperimentState): ExperimentEvent =>
  event(sequence, { case: 'experiment', value: { id: ID, state: ExperimentState[name] } });

/** Returns an event with the result of the item at a place. */
export const result = (sequence: number, index: number): ExperimentEvent =>
  event(sequence, {
    case: 'itemResult',
    value: { item: { index }, output: { kind: { case: 'text', value: String(index) } } },
  });

/** Returns a checkpoint. */
export const checkpoint = (sequence: number, draining = false): ExperimentEvent =>
  event(sequence, { case: 'checkpoint', value: { draining } });

/** Returns an event whose kind a later version of the contract may add: field 100, a message. */
export function ofUnknownKind(sequence: number): ExperimentEvent {
  const unknown = new BinaryWriter()
    .tag(100, WireType.LengthDelimited)
    .bytes(new Uint8Array([8, 1]))
    .finish();
  const known = toBinary(ExperimentEventSchema, create(ExperimentEventSchema, { sequence }));
  return fromBinary(ExperimentEventSchema, new Uint8Array([...known, ...unknown]));
}

/** Breaks the stream off as a connection or a proxy does, without a reason. */
export const cut =
  (code = Code.Unavailable): Step & ((context: HandlerContext) => void) =>
  () => {
    throw new ConnectError('cut', code);
  };

/** Fails a call as an evalrpc server does. */
export function refuse(code: Code, reason: string, retryAfterMs?: number): (context: HandlerContext) => void {
  const info = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(reason)
    .tag(2, WireType.LengthDelimited)
    .string('evalrpc.dev')
    .tag(3, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.LengthDelimited)
    .string('key')
    .tag(2, WireType.LengthDelimited)
    .string('value')
    .join()
    .finish();
  const details = [{ type: 'google.rpc.ErrorInfo', value: info }];
  if (retryAfterMs !== undefined) {
    const value = new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .fork()
      .tag(1, WireType.Varint)
      .int64(Math.floor(retryAfterMs / 1000))
      .tag(2, WireType.Varint)
      .int32((retryAfterMs % 1000) * 1_000_000)
      .join()
      .finish();
    details.push({ type: 'google.rpc.RetryInfo', value });
  }
  return () => {
    const error = new ConnectError(`refused: ${reason}`, code);
    error.details = details;
    throw error;
  };
}
