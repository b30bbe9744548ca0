/** What an evaluation may ask of the stored results, and where it keeps what the jugfile computes itself. */
import { hash } from 'node:crypto';
import { ulid } from 'ulid';
import type { PiecePlace } from '../broker/blobs.ts';
import { isWrongRevision, toJugqError } from '../broker/nats-errors.ts';
import type { OpenProject } from '../broker/project.ts';
import type { PublishOutcome } from '../broker/publisher.ts';
import { blobOf, type Results, type StoredResult } from '../broker/results.ts';
import { noFingerprint } from '../broker/result-facts.ts';
import { scanHeads, type ResultHead } from '../broker/result-heads.ts';
import { decodeValue } from '../core/codec.ts';
import { isJugqError } from '../core/errors.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import type { BlobReference } from '../core/parcel.ts';
import type { ResultStore } from './evaluate.ts';
import type { ResultPiece } from './thread-link.ts';

const readAtOnce = 256;

/**
 * The results of a project, for an evaluation.
 *
 * @param planner - unique name, without spaces: kept with what the jugfile computes itself
 * @param shipsFiles - see `ResultStore`
 */
export function resultStore(
  project: OpenProject,
  planner: string,
  shipsFiles = false,
): ResultStore {
  const { results } = project;
  return {
    shipsFiles,
    read: (ids) => eachOf(ids, (id) => wholeOf(results, id)),
    readPiece: (id, next) => readPiece(project, id, next),
    present: (ids) => eachOf(ids, async (id) => (await results.readLast(id))?.present === true),
    async presentIn(graph) {
      const present = new Uint8Array(graph.count);
      for (const known of await results.known(graph)) present[known.task] = Number(known.present);
      return (position) => present[position] === 1;
    },
    msEach: (functions) => msEach(project, functions),
    keep: (id, bytes) => keep(project, planner, id, bytes),
  };
}

/**
 * A result whose blob is gone or damaged is no result: it gets a marker, so that it is computed again.
 *
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
 */
async function dropDamaged(results: Results, { id, revision }: StoredResult): Promise<void> {
  const outcome = await results.mark(id, revision);
  // If somebody has written there meanwhile, that counts.
  if (outcome.kind === 'refused' && !isWrongRevision(outcome))
    throw toJugqError(outcome, `dropping the damaged result of ${id}`);
}

/** CBOR of a result; undefined if it is not there, or not whole. */
async function wholeOf(results: Results, id: TaskId): Promise<Uint8Array | undefined> {
  const stored = await results.readLast(id);
  if (stored?.present !== true) return undefined;
  try {
    return await results.valueOf(stored);
  } catch (error) {
    if (!isJugqError(error, 'VALUE_CORRUPT')) throw error;
    await dropDamaged(results, stored);
    return undefined;
  }
}

/** The leader has the last word: whoever asks knows that it was there. */
async function readPiece(
  project: OpenProject,
  id: TaskId,
  next: PiecePlace | undefined,
): Promise<ResultPiece | undefined> {
  if (next !== undefined) return pieceAt(project, id, next);
  const { results, blobs } = project;
  const near = await results.read(id);
  const stored = near?.present === true ? near : await results.readFromLeader(id);
  if (stored?.present !== true) return undefined;
  const digest = stored.facts?.digest;
  if (!stored.isBlob) return { bytes: stored.data, next: undefined, digest };
  const first = await blobs.firstPiece(blobOf(stored));
  if (first !== undefined) return { ...(await pieceAt(project, id, first)), digest };
  await dropDamaged(results, stored);
  return undefined;
}

async function pieceAt(
  { results, blobs }: OpenProject,
  id: TaskId,
  place: PiecePlace,
): Promise<ResultPiece> {
  try {
    return await blobs.piece(place);
  } catch (error) {
    if (!isJugqError(error, 'VALUE_CORRUPT')) throw error;
    const last = await results.readFromLeader(id);
    const isIt = last?.present === true && last.isBlob && blobOf(last) === place.name;
    if (isIt) await dropDamaged(results, last);
    throw error;
  }
}

/** A result store for those who only want to know what a jugfile declares before it needs any value. */
export const noResults: ResultStore = {
  shipsFiles: false,
  read: (ids) => Promise.resolve(ids.map(() => undefined)),
  readPiece: () => Promise.resolve(undefined),
  present: (ids) => Promise.resolve(ids.map(() => false)),
  presentIn: () => Promise.resolve(() => false),
  msEach: () => Promise.resolve(undefined),
  keep: (_id, bytes) => Promise.resolve(bytes),
};

/** The median over some of the newest results. */
async function msEach(
  project: OpenProject,
  functions: readonly [stage: string, item: string],
): Promise<number | undefined> {
  const newest = new Map<string, ResultHead[]>(functions.map((name) => [name, []]));
  await scanHeads(project, functions, (head) => {
    const { functionName } = splitTaskId(head.id);
    const heads = newest.get(functionName) ?? [];
    if (heads.push(head) > sampledMax) heads.shift();
  });
  const [stage, item] = functions;
  const ofStage = await eachOf(
    (newest.get(stage) ?? []).map((head) => head.id),
    async (id) => {
      const stored = await project.results.read(id);
      if (stored?.present !== true || stored.facts === undefined) return undefined;
      const value = decodeValue(await project.results.valueOf(stored));
      return Array.isArray(value) && value.length > 0 ? stored.facts.ms / value.length : undefined;
    },
  );
  const known = ofStage.filter((each) => each !== undefined);
  const single = (newest.get(item) ?? []).flatMap((head) => head.facts?.ms ?? []);
  const sample = (known.length > 0 ? known : single).toSorted((a, b) => a - b);
  return sample[Math.floor(sample.length / 2)];
}

const sampledMax = 32;

/** Whoever comes second is refused, and takes the first one's value. */
async function keep(
  project: OpenProject,
  worker: string,
  id: TaskId,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  const { results } = project;
  const digest = hash('sha256', bytes, 'hex').slice(0, 32);
  const facts = { worker, ms: 0, attempt: 1, fingerprint: noFingerprint, digest };
  for (;;) {
    const last = await results.readFromLeader(id);
    if (last?.present === true) return results.valueOf(last);
    const value = await fitting(project, bytes, digest);
    const expects = last?.revision ?? 0;
    const outcome = await new Promise<PublishOutcome>((settle) => {
      results.put({ id, value, facts, expects }, settle);
    });
    if (outcome.kind === 'stored') return bytes;
    if (!isWrongRevision(outcome)) throw toJugqError(outcome, `storing the value of ${id}`);
  }
}

async function fitting(
  project: OpenProject,
  bytes: Uint8Array,
  digest: string,
): Promise<Uint8Array | BlobReference> {
  if (bytes.length <= project.results.inlineBytesMax) return bytes;
  const reference = { blob: `${digest}.${ulid()}`, size: bytes.length, digest };
  await project.blobs.put(reference.blob, [bytes]);
  return reference;
}

async function eachOf<T>(ids: readonly TaskId[], answer: (id: TaskId) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let at = 0; at < ids.length; at += readAtOnce) {
    all.push(...(await Promise.all(ids.slice(at, at + readAtOnce).map(answer))));
  }
  return all;
}
