/** What the dispatcher knows, what it is told, and what it orders: the words of `dispatch.ts`. */
import { startDurations, type Durations } from './durations.ts';
import type { RunId, TaskId } from './identifiers.ts';
import { startLedger, type Ledger } from './ledger.ts';
import type { Pattern } from './patterns.ts';
import type { Outcome } from './run-outlook.ts';
import { fact, holds, type KnownFailure, type RunProgress } from './run-progress.ts';

export interface DispatchState {
  /** Active runs, the oldest first. What two of them know of one task is the same. */
  readonly runs: RunProgress[];
  readonly ledger: Ledger;
  readonly durations: Durations;
  /**
   * Functions whose tasks may have killed a worker lately, and how many of them have to finish until tasks may follow
   * others of theirs in a parcel again.
   */
  readonly struck: Map<string, number>;
  /** Threads of all workers; 0: none is known. */
  threads: number;
  /** Publish nothing before this moment (the server had no room), epoch ms; 0: go on. */
  heldUntil: number;
}

/** Where a message is: the first task of its parcel and its queue make its subject. */
export interface MessagePlace {
  readonly head: TaskId;
  readonly queue: string;
}

/**
 * What becomes of a withdrawn message that a worker holds: `none`: it may finish; `idle`: it lets go unless it has begun,
 * in which case the message stays; `all`: it lets go, and ends what it has begun.
 */
export type Recall = 'none' | 'idle' | 'all';

export type DispatchEvent =
  | { readonly kind: 'run-added'; readonly run: RunProgress }
  | { readonly kind: 'run-removed'; readonly run: RunId; readonly recall: 'idle' | 'all' }
  | {
      readonly kind: 'tasks-cancelled';
      readonly run: RunId;
      readonly patterns: readonly Pattern[];
    }
  | { readonly kind: 'run-paused'; readonly run: RunId; readonly paused: boolean }
  /** The last entry of a result's key: a value, or a marker. */
  | {
      readonly kind: 'result';
      readonly id: TaskId;
      readonly revision: number;
      readonly present: boolean;
      readonly ms?: number | undefined;
    }
  | { readonly kind: 'failure'; readonly id: TaskId; readonly failure: KnownFailure }
  | { readonly kind: 'refused'; readonly tasks: readonly TaskId[] }
  /** What a message holds that was read from the queue. */
  | (MessagePlace & {
      readonly kind: 'found';
      /** With the revision that the put of its result is going to expect. */
      readonly tasks: readonly { readonly id: TaskId; readonly expects: number }[];
      readonly code: string;
    })
  /** The queue's messages, as read not before `readAt`. */
  | {
      readonly kind: 'swept';
      readonly messages: readonly MessagePlace[];
      readonly readAt: number;
    }
  /** Neither in the queue nor resulted nor failed, although published before `readAt`. */
  | { readonly kind: 'absent'; readonly tasks: readonly TaskId[]; readonly readAt: number }
  | (MessagePlace & { readonly kind: 'withdrawn' })
  /** It was delivered again, and those of its tasks that could be run have been published each by itself. */
  | (MessagePlace & { readonly kind: 'taken-apart' })
  | { readonly kind: 'threads'; readonly threads: number }
  | { readonly kind: 'tick' };

export type Instruction =
  | {
      readonly kind: 'publish';
      /** The newest run in which the tasks can run: with its code they are executed; positions are of its graph. */
      readonly run: RunProgress;
      readonly tasks: readonly number[];
      readonly head: TaskId;
      readonly quick: boolean;
    }
  /** Take an intermediate result away, if this is still its last entry. */
  | { readonly kind: 'drop'; readonly id: TaskId; readonly revision: number }
  | { readonly kind: 'clear-failure'; readonly id: TaskId; readonly revision: number }
  /** Remove the message from the queue, and report it as withdrawn. */
  | (MessagePlace & { readonly kind: 'withdraw'; readonly recall: Recall })
  /** Read messages that nobody here has published, and report them as found. */
  | { readonly kind: 'inspect'; readonly messages: readonly MessagePlace[] }
  /** Look whether they have a result or a failure by now, and report those that have neither as absent. */
  | { readonly kind: 'verify'; readonly tasks: readonly TaskId[]; readonly readAt: number }
  | {
      readonly kind: 'complete';
      readonly run: RunProgress;
      readonly outcome: Outcome;
    }
  /** More can be published: come back with a tick when this has been done. */
  | { readonly kind: 'go-on' }
  /** What planning waits for is there, or a compound's result is not there any more: somebody must plan on. */
  | { readonly kind: 'plan-on'; readonly run: RunProgress };

/** Nothing to do and nothing known. */
export function startDispatch(): DispatchState {
  return {
    runs: [],
    ledger: startLedger(),
    durations: startDurations(),
    struck: new Map(),
    threads: 0,
    heldUntil: 0,
  };
}

/** A task as one run has it. */
export interface Placed {
  readonly run: RunProgress;
  readonly task: number;
}

/**
 * The task as the newest active run has it that declares it.
 *
 * @param admits - which of the runs count, by their place for the task; default: all
 */
export function newestWith(
  state: DispatchState,
  placed: Placed,
  admits?: (place: Placed) => boolean,
): Placed {
  for (let at = state.runs.length - 1; at >= 0; at--) {
    const newer = state.runs[at];
    if (newer === undefined || newer === placed.run) break;
    const task = newer.index.findIn(placed.run.plan.graph, placed.task);
    if (task === -1) continue;
    const theirs = { run: newer, task };
    if (admits === undefined || admits(theirs)) return theirs;
  }
  return placed;
}

/**
 * A ready task as the newest active run has it in which it can run.
 *
 * Runs may disagree on what a task takes: by `noHash`, or when one of them has not expanded a compound, whose inner tasks
 * it does not know.
 */
export function newestReady(state: DispatchState, placed: Placed): Placed {
  return newestWith(state, placed, hasAllInputs);
}

/** Whether all that a task takes is known and there. */
export function hasAllInputs({ run, task }: Placed): boolean {
  return run.missing[task] === 0 && !holds(run, task, fact.open);
}
