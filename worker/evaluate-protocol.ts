/** What the evaluating thread is given, asks, is told and sends back. */
import type { ErrorCode } from '../core/errors.ts';
import type { Expansion } from '../core/expansions.ts';
import type { Graph } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { PlanWait } from '../core/plan-format.ts';

export interface EvaluateRequest {
  /** The bundle, on disk. */
  readonly file: string;
  /** Directory of the jugfile, for the paths in stacks. */
  readonly directory: string;
  readonly args: readonly string[];
  /** Whether the content of files is to be kept for workers that do not have them. */
  readonly shipsFiles: boolean;
  /** One number, kept at the count of declared tasks. */
  readonly progress: SharedArrayBuffer;
}

/** An export: a structure with positions of tasks in it, as CBOR; or why it is none. */
export type EncodedExport =
  | { readonly kind: 'value'; readonly bytes: Uint8Array }
  | { readonly kind: 'unsupported'; readonly why: string };

/** What was declared so far. */
export interface Declarations {
  readonly graph: Graph;
  /** Compounds in it that are not expanded, by position. */
  readonly open: readonly number[];
  /** See `Snapshot`. */
  readonly kept: readonly number[];
  /** Compounds that have been expanded. */
  readonly expansions: readonly Expansion[];
  /** Texts of the user's functions behind each task function, as they stand in the bundle, by its name. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
}

export type EvaluateReply =
  /** The last entries of these keys, in this order. */
  | { readonly kind: 'read'; readonly question: number; readonly ids: readonly TaskId[] }
  /** Which of these have a result. */
  | { readonly kind: 'look'; readonly question: number; readonly ids: readonly TaskId[] }
  /** Keeps a value that the jugfile has computed itself. */
  | {
      readonly kind: 'keep';
      readonly question: number;
      readonly id: TaskId;
      readonly bytes: Uint8Array;
    }
  /** How long an item takes: of a stage's tasks, or else of a function's own. */
  | {
      readonly kind: 'took';
      readonly question: number;
      readonly functions: readonly [stage: string, item: string];
    }
  /** Nothing goes on before one of these waits has an end. */
  | (Declarations & { readonly kind: 'parked'; readonly waits: readonly PlanWait[] })
  | (Declarations & {
      readonly kind: 'evaluated';
      readonly exports: ReadonlyMap<string, EncodedExport>;
    })
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

export type EvaluateAnswer =
  /** To `read`; absent ones are undefined. To `keep`: what stands there now. */
  | {
      readonly kind: 'values';
      readonly question: number;
      readonly values: readonly (Uint8Array | undefined)[];
    }
  | { readonly kind: 'took'; readonly question: number; readonly msEach: number | undefined }
  | { readonly kind: 'presence'; readonly question: number; readonly present: readonly boolean[] }
  /** To `parked`: the waits that have come to their end, by their place among them. */
  | { readonly kind: 'resume'; readonly met: readonly number[] };
