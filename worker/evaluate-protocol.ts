/** What the evaluating thread is given and sends back. */
import type { ErrorCode } from '../core/errors.ts';
import type { Graph } from '../core/graph.ts';

export interface EvaluateRequest {
  /** The bundle, on disk. */
  readonly file: string;
  /** Directory of the jugfile, for the paths in stacks. */
  readonly directory: string;
  readonly args: readonly string[];
  /** One number, kept at the count of declared tasks. */
  readonly progress: SharedArrayBuffer;
}

/** An export: a structure with positions of tasks in it, as CBOR; or why it is none. */
export type EncodedExport =
  | { readonly kind: 'value'; readonly bytes: Uint8Array }
  | { readonly kind: 'unsupported'; readonly why: string };

export type EvaluateReply =
  | {
      readonly kind: 'evaluated';
      readonly graph: Graph;
      /** Text of each task function as it stands in the bundle, by name. */
      readonly sources: ReadonlyMap<string, string>;
      readonly exports: ReadonlyMap<string, EncodedExport>;
    }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };
