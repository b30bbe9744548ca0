/** `jugq du`: what a project keeps on the server, by function. */
import { listObjects, streamBytes, type StoredObject } from '../broker/object-list.ts';
import type { OpenProject } from '../broker/project.ts';
import { scanHeads } from '../broker/result-heads.ts';
import { bucketStream, objectStream } from '../broker/topology.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import { formatBytes } from './amounts.ts';
import { blobReferences } from './blob-references.ts';
import type { CommandContext } from './commands/base.ts';
import type { DiskUse, FunctionUse } from './library-types.ts';
import type { Session } from './session.ts';
import { formatTable } from './table.ts';

/** Adds up what a project keeps; reads the heads of all results. */
export async function measureUse(project: OpenProject): Promise<DiskUse> {
  const { names } = project;
  const functions = new Map<string, FunctionUse>();
  const large: TaskId[] = [];
  await scanHeads(project, undefined, ({ id, bytes, isBlob }) => {
    const { functionName } = splitTaskId(id);
    if (isBlob) large.push(id);
    add(functions, functionName, { results: 1, bytes });
  });
  const blobs = await listObjects(project, names.blobs);
  const unreferenced = await attribute(project, { large, blobs, functions });
  // Lists of inputs are arguments, too, to whoever looks for what takes the room.
  const isArguments = ({ name }: StoredObject): boolean => /^(?:arguments|inputs)\./.test(name);
  const sorted = [...functions].sort(([a], [b]) => (a < b ? -1 : 1));
  const [plans, code] = await Promise.all(
    [names.plans, names.code].map(async (store) => totalOf(await listObjects(project, store))),
  );
  return {
    project: names.project,
    functions: Object.fromEntries(sorted),
    arguments: totalOf(unreferenced.filter(isArguments)),
    unreferenced: totalOf(unreferenced.filter((each) => !isArguments(each))),
    plans: plans ?? nothing,
    code: code ?? nothing,
    bytes: await allBytes(project),
  };
}

const nothing = { objects: 0, bytes: 0 };

/** Adds each blob to the function whose result it is; returns those that are no result. */
async function attribute(
  project: OpenProject,
  found: {
    readonly large: readonly TaskId[];
    readonly blobs: readonly StoredObject[];
    readonly functions: Map<string, FunctionUse>;
  },
): Promise<StoredObject[]> {
  const references = await blobReferences(project, found.large);
  const functionOf = new Map(
    [...references].map(([id, { blob }]) => [blob, splitTaskId(id).functionName]),
  );
  return found.blobs.filter(({ name, bytes }) => {
    const functionName = functionOf.get(name);
    if (functionName === undefined) return true;
    add(found.functions, functionName, { blobs: 1, blobBytes: bytes });
    return false;
  });
}

function add(functions: Map<string, FunctionUse>, name: string, more: Partial<FunctionUse>): void {
  const use = functions.get(name) ?? { results: 0, bytes: 0, blobs: 0, blobBytes: 0 };
  functions.set(name, {
    results: use.results + (more.results ?? 0),
    bytes: use.bytes + (more.bytes ?? 0),
    blobs: use.blobs + (more.blobs ?? 0),
    blobBytes: use.blobBytes + (more.blobBytes ?? 0),
  });
}

function totalOf(objects: readonly StoredObject[]): { objects: number; bytes: number } {
  return { objects: objects.length, bytes: objects.reduce((sum, each) => sum + each.bytes, 0) };
}

async function allBytes(project: OpenProject): Promise<number> {
  const { names } = project;
  const streams = [
    names.tasks,
    ...[names.results, names.failures, names.runs, names.workers, names.leases].map(bucketStream),
    ...[names.blobs, names.plans, names.code].map(objectStream),
  ];
  const bytes = await Promise.all(streams.map((stream) => streamBytes(project, stream)));
  return bytes.reduce((sum, each) => sum + each, 0);
}

/** Prints what a project keeps. */
export async function showUse(
  session: Session,
  { json, context }: { readonly json: boolean; readonly context: CommandContext },
): Promise<number> {
  const use = await measureUse(session.project);
  context.stdout.write(`${json ? JSON.stringify(use) : formatUse(use)}\n`);
  return 0;
}

function formatUse(use: DiskUse): string {
  const all = Object.entries(use.functions);
  const rows = all.map(([name, each]) => [
    name,
    each.results,
    formatBytes(each.bytes),
    each.blobs,
    formatBytes(each.blobBytes),
  ]);
  const others = [
    ['arguments in the object store', use.arguments],
    ['plans', use.plans],
    ['code', use.code],
    ['blobs that nothing refers to', use.unreferenced],
  ] as const;
  const lines = others
    .filter(([, { objects }]) => objects > 0)
    .map(([what, { objects, bytes }]) => `${what}: ${objects.toString()}, ${formatBytes(bytes)}`);
  const head = ['function', 'results', 'bytes', 'blobs', 'bytes in blobs'];
  return [
    ...(rows.length > 0 ? [formatTable(head, rows)] : []),
    ...lines,
    `all of project ${use.project} on the server: ${formatBytes(use.bytes)}`,
  ].join('\n');
}
