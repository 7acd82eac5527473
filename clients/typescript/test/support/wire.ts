import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A wire to a server that can be cut: a TCP relay that resets its connections when told. */
export class Wire implements AsyncDisposable {
  /** Where new connections go. */
  target: string;
  readonly #server: Server;
  readonly #ends = new Set<Socket>();

  private constructor(target: string, server: Server) {
    this.target = target;
    this.#server = server;
  }

  /** Starts to relay on a free port. */
  static async to(target: string): Promise<Wire> {
    const server = createServer((near) => {
      wire.#relay(near);
    });
    const wire = new Wire(target, server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  /** Where the relay listens. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resets all connections; new ones are relayed again. */
  cut(): void {
    for (const end of this.#ends) {
      end.resetAndDestroy();
    }
    this.#ends.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #relay(near: Socket): void {
    const [host, port] = [this.target.slice(0, this.target.lastIndexOf(':')), this.target.split(':').at(-1)];
    const far = connect(Number(port), host);
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#ends.add(end);
      end.on('error', () => other.destroy());
      end.on('close', () => this.#ends.delete(end));
      end.pipe(other);
    }
  }
}
