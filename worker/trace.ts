/**
 * What happens inside a worker or a dispatcher, as one typed stream: logs, progress and tests are fed by it alone.
 */
import type { RunId, TaskId } from '../core/identifiers.ts';

export type TraceEvent =
  | { readonly kind: 'lease-acquired'; readonly epoch: number }
  | { readonly kind: 'lease-lost' }
  | {
      readonly kind: 'run-loaded';
      readonly run: RunId;
      readonly tasks: number;
      readonly ms: number;
    }
  /** What its planning waits for is there. */
  | { readonly kind: 'run-awake'; readonly run: RunId; readonly step: number }
  /** A record that a newer version or another tool has written: what it concerns goes on without it. */
  | { readonly kind: 'record-unreadable'; readonly reason: string }
  | { readonly kind: 'run-unreadable'; readonly run: RunId; readonly reason: string }
  | { readonly kind: 'run-over'; readonly run: RunId; readonly state: string }
  | { readonly kind: 'reconciled'; readonly absent: number }
  | { readonly kind: 'dispatcher-failed'; readonly reason: string }
  | { readonly kind: 'parcel-taken'; readonly tasks: number; readonly deliveries: number }
  | { readonly kind: 'parcel-acked'; readonly tasks: number }
  | { readonly kind: 'task-started'; readonly task: TaskId }
  | { readonly kind: 'result-computed'; readonly task: TaskId }
  | { readonly kind: 'result-stored'; readonly task: TaskId; readonly ms: number }
  | {
      readonly kind: 'result-refused';
      readonly task: TaskId;
      readonly why: 'twin' | 'differs' | 'invalidated';
    }
  | {
      readonly kind: 'task-failed';
      readonly task: TaskId;
      readonly final: boolean;
      readonly reason: string;
    }
  | { readonly kind: 'input-missing'; readonly task: TaskId; readonly input: TaskId }
  | { readonly kind: 'struck'; readonly task: TaskId; readonly strikes: number }
  | { readonly kind: 'trouble'; readonly reason: string }
  | { readonly kind: 'recovered' }
  | { readonly kind: 'stray-error'; readonly reason: string };

export type Trace = (event: TraceEvent) => void;
