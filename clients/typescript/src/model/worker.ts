/** A function that a worker hosts. */
export interface HostedFunction {
  /** Its name, by which specs refer to it. */
  readonly name: string;
  /** What it is. */
  readonly kind: 'TASK' | 'EVALUATOR' | 'RUN_EVALUATOR' | 'UNSPECIFIED';
  /** What it does. */
  readonly description: string | undefined;
}

/** A worker that is connected to the server, or was until a short while ago. */
export interface ConnectedWorker {
  /** The id that it gave itself. */
  readonly id: string;
  /** The functions that it hosts. */
  readonly functions: readonly HostedFunction[];
  /** How it does. */
  readonly state: 'CONNECTED' | 'DRAINING' | 'DISCONNECTED' | 'UNSPECIFIED';
  /** How many calls it takes at once. */
  readonly maxInFlight: number;
  /** Calls that it has at the moment. */
  readonly inFlight: number;
  /** Calls that it finished well since it connected. */
  readonly completed: number;
  /** Calls that it finished with an error since it connected. */
  readonly failed: number;
  /** Calls that were taken from it since it connected, as it was silent for longer than its lease. */
  readonly lost: number;
  /** The name of its client library. */
  readonly clientName: string;
  /** The version of its client library. */
  readonly clientVersion: string;
  /** When it connected. */
  readonly connectTime: Date | undefined;
  /** When it was last heard. */
  readonly lastHeartbeatTime: Date | undefined;
}
