/** `jugq import`: takes up what another project has exported. Nothing that is there is changed. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { OpenProject } from '../broker/project.ts';
import type { PublishOutcome } from '../broker/publisher.ts';
import { noFingerprint, type ResultFacts } from '../broker/result-facts.ts';
import { isWrongRevision, toJugqError } from '../broker/nats-errors.ts';
import { JugqError } from '../core/errors.ts';
import { isRunId, isTaskId, type TaskId } from '../core/identifiers.ts';
import type { BlobReference } from '../core/parcel.ts';
import { decodeRecord, encodeRecord, type RunRecord } from '../core/records.ts';
import { unpack } from '../core/wire.ts';
import type { CommandContext } from './commands/base.ts';
import type { Imported } from './library-types.ts';
import { readPortable, type PortableStore } from './portable-file.ts';
import { countOf } from './report.ts';
import type { Session } from './session.ts';

type Taken = { -readonly [K in keyof Imported]: number };

interface FileResult {
  readonly id: TaskId;
  readonly facts: ResultFacts;
  readonly value: Uint8Array | BlobReference;
}

interface OpenObject {
  readonly store: PortableStore;
  readonly name: string;
  readonly size: number;
  readonly chunks: Uint8Array[];
  length: number;
}

const putAtOnce = 1024;
const progressEveryMs = 3000;

/** Reads a file into the project and says what was new and what was there. */
export async function importProject(
  session: Session,
  request: {
    readonly file: string;
    readonly stdin: Readable;
    readonly json: boolean;
    readonly context: CommandContext;
  },
): Promise<number> {
  const { context, file, json, stdin } = request;
  const path = file === '-' ? file : resolve(context.cwd, file);
  const taken = await importFrom(session.project, {
    ...{ path, name: file, stdin },
    onProgress: (results) =>
      context.stderr.write(`importing: ${countOf(results, 'result')} so far\n`),
  });
  context.stdout.write(`${json ? JSON.stringify(taken) : formatTaken(taken)}\n`);
  return 0;
}

/**
 * Reads a file into the project.
 *
 * @param from.path - absolute; `-`: `from.stdin`
 * @param from.name - the file as a person named it
 * @throws JugqError `VALUE_CORRUPT` if the file is damaged
 */
export async function importFrom(
  project: OpenProject,
  from: {
    readonly path: string;
    readonly name: string;
    readonly stdin?: Readable;
    readonly onProgress?: (results: number) => void;
  },
): Promise<Imported> {
  const importing = new Import(project, from.name);
  let toldAt = performance.now();
  for await (const record of readPortable(from.path, from.stdin ?? process.stdin)) {
    if (performance.now() - toldAt > progressEveryMs) {
      from.onProgress?.(importing.seen);
      toldAt = performance.now();
    }
    switch (record[0]) {
      case 'object':
        importing.begin({ store: record[1], name: record[2], size: record[3] });
        break;
      case 'chunk':
        importing.append(record[1]);
        break;
      case 'result':
        await importing.result(record[1], record[2], record[3], record[4]);
        break;
      case 'run':
        await importing.run(record[1], record[2]);
        break;
      default:
    }
    await importing.settleObject();
  }
  await importing.flush();
  return importing.taken;
}

/** One file on its way into a project. */
class Import {
  readonly taken: Taken = {
    ...{ results: 0, there: 0, other: 0, revived: 0 },
    ...{ blobs: 0, plans: 0, code: 0, runs: 0 },
  };
  readonly #project: OpenProject;
  readonly #file: string;
  #object: OpenObject | undefined;
  #results: FileResult[] = [];

  constructor(project: OpenProject, file: string) {
    this.#project = project;
    this.#file = file;
  }

  /** Results that were read and stored, or found to be there. */
  get seen(): number {
    const { results, there, other } = this.taken;
    return results + there + other;
  }

  begin(object: Omit<OpenObject, 'chunks' | 'length'>): void {
    this.#object = { ...object, chunks: [], length: 0 };
  }

  append(bytes: Uint8Array): void {
    if (this.#object === undefined) throw this.#damaged('a chunk belongs to nothing');
    this.#object.chunks.push(bytes);
    this.#object.length += bytes.length;
  }

  /** Stores an object when the last of its chunks has come; names stand for content, so one that is there is the same. */
  async settleObject(): Promise<void> {
    const object = this.#object;
    if (object === undefined || object.length < object.size) return;
    this.#object = undefined;
    const { store, name, chunks } = object;
    const named = store === 'code' ? name : /^arguments\.(\w+)$/.exec(name)?.[1];
    if (named !== undefined && sha256(chunks) !== named)
      throw this.#damaged(`${name} is not what its name says`);
    if (await this.#project[store].has(name)) return;
    await this.#project[store].put(name, chunks);
    this.taken[store]++;
  }

  async result(
    id: string,
    facts: ResultFacts | null,
    isBlob: boolean,
    bytes: Uint8Array,
  ): Promise<void> {
    if (!isTaskId(id)) throw this.#damaged(`${JSON.stringify(id)} is no task`);
    const digest = sha256([bytes]).slice(0, 32);
    if (!isBlob && facts !== null && facts.digest !== digest)
      throw this.#damaged(`the result of ${id} is not what was exported`);
    const value = isBlob ? (unpack(bytes, `the result of ${id}`) as BlobReference) : bytes;
    const known = facts ?? {
      worker: 'import',
      ms: 0,
      attempt: 1,
      fingerprint: noFingerprint,
      digest,
    };
    this.#results.push({ id, facts: known, value });
    if (this.#results.length >= putAtOnce) await this.flush();
  }

  /** Results go many at a time. */
  async flush(): Promise<void> {
    const some = this.#results;
    this.#results = [];
    await Promise.all(some.map((each) => this.#put(each)));
  }

  async run(id: string, json: string): Promise<void> {
    await this.flush();
    if (!isRunId(id)) throw this.#damaged(`${JSON.stringify(id)} is no run`);
    const record = decodeRecord<RunRecord>(new TextEncoder().encode(json), `run ${id}`);
    // Revisions and leases are those of another server.
    const basis = await this.#project.results.lastRevision();
    const imported: RunRecord = { ...record, basis, epoch: 0 };
    const revision = await this.#project.runs.put(id, encodeRecord(imported), 0);
    if (revision !== undefined) this.taken.runs++;
  }

  /** Whoever is there first stays; a marker is replaced, since nothing stands there any more. */
  async #put({ id, facts, value }: FileResult): Promise<void> {
    let expects = 0;
    for (;;) {
      const outcome = await new Promise<PublishOutcome>((settle) => {
        this.#project.results.put({ id, facts, value, expects }, settle);
      });
      if (outcome.kind === 'stored') {
        this.taken.results++;
        if (expects > 0) this.taken.revived++;
        return;
      }
      if (!isWrongRevision(outcome)) throw toJugqError(outcome, `storing the result of ${id}`);
      // A refusal is a question: what stands there decides.
      const there = await this.#project.results.readLast(id);
      if (there?.present === true) {
        if (there.facts?.digest === facts.digest) this.taken.there++;
        else this.taken.other++;
        return;
      }
      expects = there?.revision ?? 0;
    }
  }

  #damaged(how: string): JugqError {
    const message = `${this.#file} is damaged: ${how}: fetch the file anew, and import it again`;
    return new JugqError('VALUE_CORRUPT', message);
  }
}

function sha256(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

function formatTaken({ results, there, other, revived, plans, runs }: Imported): string {
  const parts = [
    `${countOf(results, 'result')} imported`,
    ...(revived > 0
      ? [`${revived.toString()} of them had been invalidated or cleaned up here`]
      : []),
    ...(there > 0 ? [`${there.toString()} were there`] : []),
    ...(other > 0 ? [`${other.toString()} were there with another value, which stays`] : []),
    ...(plans > 0 ? [countOf(plans, 'plan')] : []),
    ...(runs > 0 ? [countOf(runs, 'run')] : []),
  ];
  return parts.join(', ');
}
