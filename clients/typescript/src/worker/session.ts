import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { setImmediate as turn } from 'node:timers/promises';
import type { Connection } from '../connection.js';
import type { Parse } from '../documents.js';
import type {
  HelloSchema,
  ItemResultChunk,
  TaskReport,
  Welcome,
} from '../gen/evalrpc/v1/worker_messages_pb.js';
import {
  ServeRequestSchema,
  WorkerService,
  type ServeRequest,
  type ServeResponse,
} from '../gen/evalrpc/v1/worker_service_pb.js';
import type { Assignments } from './assignments.js';
import { BATCHES, batched, unbatched } from './batches.js';
import { handedBack, type CallSettings } from './calls.js';
import { Outbox } from './outbox.js';

const DEFAULT_HEARTBEAT_MS = 5_000;

/** What a session is made of. */
export interface SessionParts {
  readonly connection: Connection;
  readonly assignments: Assignments;
  readonly hello: MessageInitShape<typeof HelloSchema>;
  readonly maxInFlight: number;
  readonly parse: Parse;
  /** Whether nothing new is taken. */
  readonly draining: () => boolean;
  /** Is told once the server has welcomed the worker. */
  readonly welcomed: () => void;
}

/** One stream between a worker and the server, from Hello to its end. */
export class Session {
  readonly #parts: SessionParts;
  readonly #outbox = new Outbox<ServeRequest>();
  readonly #closing = new AbortController();
  #heartbeats: NodeJS.Timeout | undefined;
  #heartbeatWaits = false;
  #welcomed = false;
  #batches = false;
  #owed = 0;
  #settings: CallSettings;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#settings = { parse: parts.parse, maxReportBytes: Infinity };
  }

  /**
   * Serves until either side ends the stream.
   *
   * @throws whatever the call fails with
   */
  async serve(): Promise<void> {
    const { connection, hello } = this.#parts;
    this.#send({ case: 'hello', value: hello });
    try {
      const service = connection.service(WorkerService);
      const options = { timeoutMs: 0, signal: this.#closing.signal };
      for await (const response of service.serve(this.#outgoing(), options)) {
        for (const { message } of unbatched(response)) {
          if (message.case === 'goodbye') {
            return;
          }
          this.#take(message);
        }
      }
    } finally {
      clearInterval(this.#heartbeats);
      this.#outbox.close();
      this.#closing.abort();
    }
  }

  /** Sends a report, and soon credit for the next call. Before the welcome it does nothing: both follow with that. */
  report(report: TaskReport | undefined): void {
    if (!this.#welcomed) {
      return;
    }
    if (report !== undefined) {
      this.#send({ case: 'report', value: report });
    }
    if (!this.#parts.draining()) {
      this.#owe();
    }
  }

  /** Tells the server that this worker takes nothing new. */
  drain(): void {
    if (!this.#welcomed) {
      return; // it is said with the welcome
    }
    this.#send({ case: 'drain', value: {} });
  }

  /** Tells the server that this worker is gone, and ends the stream behind that. */
  leave(reason: string): void {
    this.#send({ case: 'goodbye', value: { reason } });
    this.#outbox.close();
  }

  /** Ends the stream at once. */
  abort(): void {
    this.#closing.abort();
  }

  async *#outgoing(): AsyncGenerator<ServeRequest, undefined> {
    for await (const first of this.#outbox) {
      const messages = [first];
      if (this.#batches) {
        await turn(); // calls that end together share a message
        messages.push(...this.#outbox.takeAll());
      }
      if (messages.some(({ message }) => message.case === 'heartbeat')) {
        this.#heartbeatWaits = false;
      }
      yield* batched(messages);
    }
  }

  #take(message: ServeResponse['message']): void {
    const { assignments } = this.#parts;
    switch (message.case) {
      case 'welcome':
        this.#welcome(message.value);
        break;
      case 'assignment':
        if (this.#parts.draining()) {
          this.#send({ case: 'report', value: handedBack(message.value.taskToken, 'draining') });
        } else {
          assignments.begin(message.value, this.#settings);
        }
        break;
      case 'itemResults':
        this.#takeResults(message.value);
        break;
      case 'ack':
        assignments.acknowledge(message.value.taskToken);
        break;
      case 'heartbeatAck':
        for (const taskToken of message.value.lostTaskTokens) {
          assignments.giveUp(taskToken, 'the call was given to another worker, or has ended');
        }
        break;
      case 'cancel':
        assignments.giveUp(message.value.taskToken, message.value.reason);
        break;
      default:
        break; // the server drains, which ends in a goodbye; or a kind that this version does not know
    }
  }

  /** Says first what the worker still has, so that the server takes back what never arrived; then asks for more. */
  #welcome(welcome: Welcome): void {
    const { assignments, maxInFlight } = this.#parts;
    this.#welcomed = true;
    this.#batches = welcome.capabilities.includes(BATCHES);
    if (welcome.maxReportBytes > 0) {
      this.#settings = { ...this.#settings, maxReportBytes: welcome.maxReportBytes };
    }
    this.#heartbeat();
    for (const report of assignments.unacknowledged) {
      this.#send({ case: 'report', value: report });
    }
    if (this.#parts.draining()) {
      this.drain();
    } else if (maxInFlight > assignments.running) {
      this.#send({ case: 'credit', value: { count: maxInFlight - assignments.running } });
    }
    const every = welcome.heartbeatInterval ? durationMs(welcome.heartbeatInterval) : DEFAULT_HEARTBEAT_MS;
    this.#heartbeats = setInterval(() => {
      this.#heartbeat();
    }, every);
    this.#parts.welcomed();
  }

  /** Gives credit for one call more; calls that end together share a message. */
  #owe(): void {
    this.#owed++;
    if (this.#owed === 1) {
      setImmediate(() => {
        this.#send({ case: 'credit', value: { count: this.#owed } });
        this.#owed = 0;
      });
    }
  }

  #takeResults(chunk: ItemResultChunk): void {
    if (this.#parts.assignments.takeResults(chunk)) {
      const { taskToken, number } = chunk;
      this.#send({ case: 'chunkAck', value: { taskToken, number } });
    }
  }

  #heartbeat(): void {
    if (!this.#heartbeatWaits) {
      this.#heartbeatWaits = true;
      this.#send({ case: 'heartbeat', value: { taskTokens: this.#parts.assignments.tokens } });
    }
  }

  #send(message: NonNullable<MessageInitShape<typeof ServeRequestSchema>['message']>): void {
    this.#outbox.put(create(ServeRequestSchema, { message }));
  }
}
