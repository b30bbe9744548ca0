/** `jugq export`: a project's results, plans and code as one file. */
import { resolve } from 'node:path';
import { listObjects } from '../broker/object-list.ts';
import type { OpenProject } from '../broker/project.ts';
import { scanHeads } from '../broker/result-heads.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import type { BlobReference } from '../core/parcel.ts';
import { isOver, type RunRecord } from '../core/records.ts';
import { unpack } from '../core/wire.ts';
import type { CommandContext } from './commands/base.ts';
import type { Exported } from './library-types.ts';
import { createPortable, type PortableStore, type PortableWriter } from './portable-file.ts';
import { countOf } from './report.ts';
import { allRuns } from './runs.ts';
import type { Session } from './session.ts';

export interface ExportRequest {
  readonly file: string;
  /** Only results of these tasks, and no plans; undefined: everything. */
  readonly target:
    ((task: { readonly functionName: string; readonly hash: string }) => boolean) | undefined;
  readonly json: boolean;
  readonly context: CommandContext;
}

/** What is to be written, and where. */
export interface ExportWish {
  /** Absolute; `-`: stdout. */
  readonly path: string;
  /** Only results of these tasks, and no plans; undefined: everything. */
  readonly target?: ExportRequest['target'];
  readonly stdout?: CommandContext['stdout'];
  /** Is told now and then how many results are written. */
  readonly onProgress?: (results: number, of: number) => void;
}

type Written = { -readonly [K in keyof Exported]: number };

const readAtOnce = 1024;
const progressEveryMs = 3000;
const chunkBytes = 1024 * 1024;

/** Writes the project into a file; the last line says what is in it. */
export async function exportProject(session: Session, request: ExportRequest): Promise<number> {
  const { context, file, json, target } = request;
  const { stdout, stderr } = context;
  const path = file === '-' ? file : resolve(context.cwd, file);
  const written = await exportTo(session.project, {
    ...{ path, target, stdout },
    onProgress: (results, of) =>
      stderr.write(`exporting: ${results.toString()} of ${countOf(of, 'result')} so far\n`),
  });
  // The data may be on its way to stdout.
  const told = file === '-' ? stderr : stdout;
  told.write(`${json ? JSON.stringify(written) : `${file}: ${formatWritten(written)}`}\n`);
  return 0;
}

/**
 * Writes the project into a file. If that fails, an older file of the name stays as it was.
 *
 * @throws JugqError `USAGE` if the file cannot be written
 */
export async function exportTo(project: OpenProject, wish: ExportWish): Promise<Exported> {
  const { path, stdout = process.stdout } = wish;
  const writer = await createPortable(path, stdout);
  try {
    const written = await writeProject(project, wish, writer);
    await writer.end();
    return written;
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

async function writeProject(
  project: OpenProject,
  wish: ExportWish,
  writer: PortableWriter,
): Promise<Exported> {
  const { target } = wish;
  await writer.write(['head', project.names.project, new Date().toISOString()]);
  const written: Written = { results: 0, blobs: 0, plans: 0, code: 0, runs: 0 };
  if (target === undefined) await writeEverythingElse(project, writer, written);
  await writeResults(project, wish, writer, written);
  if (target === undefined) {
    for (const record of await allRuns(project)) {
      const ended = endedRecord(record);
      if (ended === undefined) continue;
      await writer.write(['run', record.id, JSON.stringify(ended)]);
      written.runs++;
    }
  }
  return written;
}

/** Plans, bundles, and arguments that are too large for a plan. */
async function writeEverythingElse(
  project: OpenProject,
  writer: PortableWriter,
  written: Written,
): Promise<void> {
  for (const store of ['code', 'plans', 'blobs'] as const) {
    for (const { name } of await listObjects(project, project.names[store])) {
      const isResult = store === 'blobs' && !name.startsWith('arguments.');
      if (!isResult && (await writeObject(project, writer, store, name))) written[store]++;
    }
  }
}

async function writeResults(
  project: OpenProject,
  { target, onProgress }: Pick<ExportWish, 'target' | 'onProgress'>,
  writer: PortableWriter,
  written: Written,
): Promise<void> {
  const ids: TaskId[] = [];
  await scanHeads(project, undefined, ({ id }) => {
    if (target?.(splitTaskId(id)) ?? true) ids.push(id);
  });
  let toldAt = performance.now();
  for (let at = 0; at < ids.length; at += readAtOnce) {
    if (performance.now() - toldAt > progressEveryMs) {
      onProgress?.(at, ids.length);
      toldAt = performance.now();
    }
    const some = await Promise.all(
      ids.slice(at, at + readAtOnce).map((id) => project.results.readLast(id)),
    );
    for (const stored of some) {
      if (stored?.present !== true) continue;
      const { id, facts, isBlob, data } = stored;
      if (isBlob) {
        const { blob } = unpack(data, `the result of ${id}`) as BlobReference;
        // A result without its blob is no result.
        if (!(await writeObject(project, writer, 'blobs', blob))) continue;
        written.blobs++;
      }
      await writer.write(['result', id, facts ?? null, isBlob, data]);
      written.results++;
    }
  }
}

async function writeObject(
  project: OpenProject,
  writer: PortableWriter,
  store: PortableStore,
  name: string,
): Promise<boolean> {
  const bytes = await project[store].get(name);
  if (bytes === undefined) return false;
  await writer.write(['object', store, name, bytes.length]);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    await writer.write(['chunk', bytes.subarray(at, at + chunkBytes)]);
  }
  return true;
}

/** Elsewhere nobody carries a run on that was not over here; one without a plan says nothing. */
function endedRecord(record: RunRecord): RunRecord | undefined {
  if (record.plan === undefined) return undefined;
  if (isOver(record.state)) return record;
  const note = `it was ${record.state} when it was exported: plan ${record.jugfile} again to go on`;
  return { ...record, state: 'cancelled', note, endedAt: new Date().toISOString() };
}

function formatWritten({ results, blobs, plans, code, runs }: Exported): string {
  return [
    countOf(results, 'result'),
    countOf(blobs, 'blob'),
    countOf(plans, 'plan'),
    countOf(code, 'bundle'),
    countOf(runs, 'run'),
  ].join(', ');
}
