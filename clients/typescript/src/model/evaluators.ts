import type { AnyJson } from '../documents.js';
import type { EvaluatorSpecJson } from '../gen/evalrpc/v1/evaluator_pb.js';

/** One version of a registered evaluator. Versions never change. */
export interface RegisteredEvaluator {
  /** The name it is registered under. */
  readonly name: string;
  /** Its version, from 1. */
  readonly version: number;
  /** What it does, in the JSON form of the contract. */
  readonly spec: EvaluatorSpecJson;
  /** What it is for. */
  readonly description: string | undefined;
  /** When this version was registered. */
  readonly createTime: Date | undefined;
}

/** One of the server's own evaluators. */
export interface BuiltinEvaluator {
  /** The name that `builtin()` takes. */
  readonly name: string;
  /** Whether it looks at one item's result or at all results of a run. */
  readonly level: 'item' | 'run';
  /** What it computes. */
  readonly description: string;
  /** The JSON Schema of its parameters. */
  readonly paramsSchema: Readonly<Record<string, AnyJson>>;
}

/** Items stored on the server, for any number of experiments. */
export interface Upload {
  /** Its id. */
  readonly id: string;
  /** How many items it has. */
  readonly itemCount: number;
}
