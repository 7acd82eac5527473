/** Messages on their way out, in their order: what is put in at one side is iterated over at the other. */
export class Outbox<Message> implements AsyncIterable<Message> {
  readonly #queued: Message[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  /** How many messages wait. */
  get size(): number {
    return this.#queued.length;
  }

  /** Queues a message; without effect once the outbox is closed. */
  put(message: Message): void {
    if (!this.#closed) {
      this.#queued.push(message);
      this.#wake?.();
    }
  }

  /** Takes all that is queued. */
  takeAll(): Message[] {
    return this.#queued.splice(0);
  }

  /** Ends the iteration behind what is queued. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Yields each message as soon as the one before was taken. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, undefined> {
    for (;;) {
      const message = this.#queued.shift();
      if (message !== undefined) {
        yield message;
      } else if (this.#closed) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }
}
