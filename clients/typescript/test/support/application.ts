import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** The input that fails. */
export const BOOM = 'boom';

/** An application under test: a task, an evaluator, and a task that waits to be let go. */
export class Application implements AsyncDisposable {
  /** The inputs that came, as JSON text of the whole request. */
  readonly requests: string[] = [];
  readonly #server: Server;
  #waiting: (() => void)[] = [];
  #open = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Starts an application on a free port. */
  static async start(): Promise<Application> {
    const server = createServer((request, response) => {
      void application.#answer(request, response);
    });
    const application = new Application(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return application;
  }

  /** Answers with the input as the output, byte for byte; fails for the input "boom". */
  get task(): string {
    return `${this.#origin}/task`;
  }

  /** Does the same once the gate is open; an input that starts with "now" need not wait. */
  get gated(): string {
    return `${this.#origin}/gated`;
  }

  /** Scores whether the output is the expected one. */
  get evaluate(): string {
    return `${this.#origin}/evaluate`;
  }

  get #origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Lets all calls of the gated task go on, now and later. */
  openGate(): void {
    this.#open = true;
    this.#waiting.forEach((go) => {
      go();
    });
    this.#waiting = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.openGate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) {
      return; // the connection broke
    }
    const { input, output, expected_output } = JSON.parse(body);
    if (request.url === '/evaluate') {
      send(response, 200, JSON.stringify({ value: output === expected_output }));
      return;
    }
    this.requests.push(body);
    if (request.url === '/gated' && !this.#open && !String(input).startsWith('now')) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (input === BOOM) {
      send(response, 404, '{"error": "no such thing"}');
    } else {
      send(response, 200, `{"output": ${inputText(body)}}`);
    }
  }
}

/** Returns the input's own bytes: what stands between the key and the next one of the request. */
function inputText(body: string): string {
  const start = body.indexOf('"input":') + '"input":'.length;
  const end = Math.min(
    ...['"metadata":', '"item_id":'].map((key) => body.lastIndexOf(key)).filter((at) => at > start),
  );
  return body.slice(start, end).replace(/,\s*$/, '');
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}
