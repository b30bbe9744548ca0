/** What a result's message says of the result without its value: who made it, how, and with which code. */
import type { HeaderReader } from './message-headers.ts';

/** What is known of the attempt that made a result. */
export interface ResultFacts {
  readonly worker: string;
  /** How long the function ran. */
  readonly ms: number;
  readonly attempt: number;
  /** Of the function's code; `noFingerprint` where no task function made it. */
  readonly fingerprint: string;
  /** Of the CBOR of the result, blob or not. */
  readonly digest: string;
}

/** Of results that a planner made, or that were imported without their facts. */
export const noFingerprint = '-';

const factsHeader = 'Jugq-Result';
const blobHeader = 'Jugq-Blob';

/** The headers of a result. */
export function headersOf(facts: ResultFacts, isBlob: boolean): Record<string, string> {
  const { worker, ms, attempt, fingerprint, digest } = facts;
  const all: Record<string, string> = {
    [factsHeader]: `${worker} ${ms.toFixed(3)} ${attempt.toString()} ${fingerprint} ${digest}`,
  };
  if (isBlob) all[blobHeader] = '1';
  return all;
}

/** Whether the value is a reference to a blob. */
export function holdsReference(all: HeaderReader | undefined): boolean {
  return all !== undefined && all.get(blobHeader) !== '';
}

/** What the one header of a result says; undefined: it was not written by jugq. */
export function factsIn(all: HeaderReader | undefined): ResultFacts | undefined {
  const [worker, ms, attempt, fingerprint, digest] = (all?.get(factsHeader) ?? '').split(' ');
  if (worker === undefined || ms === undefined || attempt === undefined) return undefined;
  if (fingerprint === undefined || digest === undefined) return undefined;
  return { worker, ms: Number(ms), attempt: Number(attempt), fingerprint, digest };
}

/**
 * Fingerprint of the code that made a result; undefined where that is not known: a planner made it, it was imported without
 * its facts, or it is of a function that only a planning far from the sources came upon.
 */
export function madeByCode(facts: ResultFacts | undefined): string | undefined {
  const made = facts?.fingerprint ?? '';
  return made === '' || made === noFingerprint ? undefined : made;
}

/**
 * Whether a result was made by other code than its function has now.
 *
 * @param fingerprint - of the code that the function has now; empty: unknown
 */
export function isStale(facts: ResultFacts | undefined, fingerprint: string): boolean {
  const made = madeByCode(facts);
  return made !== undefined && fingerprint !== '' && made !== fingerprint;
}
