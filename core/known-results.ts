/** What is known of results without their values, and how a plan keeps what was known when it was made. */

/** What the results' bucket holds of one task. */
export interface KnownResult {
  readonly task: number;
  readonly revision: number;
  readonly present: boolean;
  /** The result was made by other code than the plan's. */
  readonly stale?: boolean;
}

/**
 * Where the results' stream stood. The time tells whether the stream is still the one that was seen: one that came back
 * with less gives the same numbers to other messages.
 */
export interface StreamPlace {
  /** Of the last message. */
  readonly revision: number;
  /** When the server stored it, as it writes times. */
  readonly storedAt: string;
}

/** What was there of a plan's tasks when the plan was made: whoever reads it needs only what came after `upTo`. */
export interface PastResults {
  readonly upTo: StreamPlace;
  /** Positions of tasks with an entry. */
  readonly tasks: Uint32Array;
  /** Of each of these, the revision. */
  readonly revisions: Float64Array;
  /** Of each of these, bits: a value is there (else a marker), and it was made by other code. */
  readonly bits: Uint8Array;
}

const presentBit = 1;
const staleBit = 2;

/** @param upTo - what came up to there is in `known`; what came later may be */
export function pastResults(upTo: StreamPlace, known: readonly KnownResult[]): PastResults {
  const past: PastResults = {
    upTo,
    tasks: new Uint32Array(known.length),
    revisions: new Float64Array(known.length),
    bits: new Uint8Array(known.length),
  };
  known.forEach(({ task, revision, present, stale = false }, at) => {
    past.tasks[at] = task;
    past.revisions[at] = revision;
    past.bits[at] = (present ? presentBit : 0) | (stale ? staleBit : 0);
  });
  return past;
}

/** One after another what `pastResults` was given. */
export function* knownIn({ tasks, revisions, bits }: PastResults): Iterable<KnownResult> {
  for (const [at, task] of tasks.entries()) {
    const mine = bits[at] ?? 0;
    const present = (mine & presentBit) !== 0;
    yield { task, revision: revisions[at] ?? 0, present, stale: (mine & staleBit) !== 0 };
  }
}
