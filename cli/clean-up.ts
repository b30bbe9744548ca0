/**
 * Removes what no kept run refers to: results, failure records, plans, bundles, blobs; and the records of the other runs,
 * all of which have ended.
 *
 * A result goes by a marker that expects the revision that was seen, so that one which is written meanwhile stays.
 * Whatever a planner may be about to refer to is spared while a run is being planned: its record comes first.
 */
import { isDifferenceKey, readDifferences } from '../broker/differences.ts';
import { findLooseChunks, listObjects, removeChunks } from '../broker/object-list.ts';
import type { OpenProject } from '../broker/project.ts';
import { noFingerprint } from '../broker/result-facts.ts';
import { scanHeads, type ResultHead } from '../broker/result-heads.ts';
import { idOf, TaskIndex } from '../core/graph.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import type { RunRecord } from '../core/records.ts';
import { blobReferences } from './blob-references.ts';
import { keptPlans } from './kept-runs.ts';
import { keepsExpansions, listExpansions, readExpansions } from './expansions.ts';
import type { CleanUp, ObjectsUse } from './library-types.ts';
import type { LoadedJugfile } from './load-jugfile.ts';
import { queuedBlobs } from './queued-blobs.ts';
import { everyRun, isActive } from './runs.ts';

export interface CleanUpWish {
  /** Runs to be kept beside those that are kept anyway. */
  readonly keep: readonly RunRecord[];
  /** What these declare now counts instead of their newest runs. */
  readonly jugfiles: readonly LoadedJugfile[];
  /** Only results of these tasks, and nothing else; undefined: everything. */
  readonly target?: (task: { readonly functionName: string; readonly hash: string }) => boolean;
  readonly dryRun: boolean;
}

/** A put that is younger than this may still be going on, or its reference be on its way. */
const ageMs = 3_600_000;
const atOnce = 256;

/**
 * Cleans a project up.
 *
 * @throws JugqError `UNKNOWN_RUN` if the plan of a run that is to be kept is gone; `FORMAT_UNKNOWN` if a newer version
 *   planned one
 */
export async function cleanUp(project: OpenProject, wish: CleanUpWish): Promise<CleanUp> {
  const records = await everyRun(project);
  const planning = records.find(isPlanning);
  if (planning !== undefined) return { ...empty, spared: beingPlanned(planning) };
  const whole = wish.jugfiles.filter((each) => each.waits.length === 0);
  const overtaken = whole.map(({ name: jugfile, args }) => ({ jugfile, args }));
  const plans = await keptPlans(project, records, wish.keep, overtaken);
  const graphs = [...plans.map((each) => each.plan), ...wish.jugfiles].map((each) => each.graph);
  const isKept = keeper(graphs.map((graph) => new TaskIndex(graph)));
  const found = await findResults(project, wish, isKept);
  const references = await blobReferences(
    project,
    [...found.going, ...found.staying].flatMap(([id, head]) => (head.isBlob ? id : [])),
  );
  const sweep = new Sweep(project, wish.dryRun);
  await sweep.removeResults(found.going);
  await sweep.removeFailures((id) => !isKept(id) && isTarget(wish, id));
  await sweep.removeDifferences((id) => isKept(id) && isTarget(wish, id));
  const gone = new Set<string>();
  for (const [id, { blob }] of references) if (found.going.has(id)) gone.add(blob);
  await sweep.removeObjects('blobs', ({ name }) => gone.has(name));
  if (wish.target === undefined) {
    const needed = new Set([...references.values()].map((each) => each.blob));
    for (const { plan } of plans) for (const { blob } of plan.spilled.values()) needed.add(blob);
    for (const blob of await queuedBlobs(project)) needed.add(blob);
    await sweep.removeObjects(
      'blobs',
      ({ name, storedAt }) => !needed.has(name) && isOld(storedAt),
    );
    const names = new Set(plans.map((each) => each.record.plan));
    const known = new Set(records.map((each) => each.plan));
    const idle = await idleExpansions(project, isKept);
    await sweep.removeObjects('plans', ({ name, storedAt }) =>
      keepsExpansions(name)
        ? idle.has(name)
        : !names.has(name) && (known.has(name) || isOld(storedAt)),
    );
    const bundles = new Set(plans.map((each) => each.plan.code));
    const knownCode = new Set(records.map((each) => each.code));
    await sweep.removeObjects(
      'code',
      ({ name, storedAt }) => !bundles.has(name) && (knownCode.has(name) || isOld(storedAt)),
    );
    for (const store of ['blobs', 'plans', 'code'] as const) await sweep.removeLooseChunks(store);
    const keptIds = new Set(
      [...plans.map((each) => each.record), ...wish.keep].map(({ id }) => id),
    );
    await sweep.removeRuns(records.filter((each) => !isActive(each) && !keptIds.has(each.id)));
  }
  return { ...sweep.report(), kept: plans.map((each) => each.record.id) };
}

const empty: CleanUp = {
  results: 0,
  functions: {},
  failures: 0,
  plans: 0,
  bundles: 0,
  blobs: 0,
  runs: 0,
  bytes: 0,
  kept: [],
};

function isPlanning(record: RunRecord): boolean {
  return record.state === 'planning' && isActive(record);
}

function beingPlanned({ id, jugfile, host }: RunRecord): string {
  return `run ${id} of ${jugfile} is being planned on ${host}, and nobody knows yet what it needs`;
}

function isOld(storedAt: number): boolean {
  return Date.now() - storedAt > ageMs;
}

function isTarget(wish: CleanUpWish, id: TaskId): boolean {
  return wish.target === undefined || wish.target(splitTaskId(id));
}

function keeper(indexes: readonly TaskIndex[]): (id: TaskId) => boolean {
  return (id) => indexes.some((index) => index.find(id) !== -1);
}

/** Results that go, and of those that stay the ones with blobs. */
async function findResults(
  project: OpenProject,
  wish: CleanUpWish,
  isKept: (id: TaskId) => boolean,
): Promise<{ going: Map<TaskId, ResultHead>; staying: Map<TaskId, ResultHead> }> {
  const going = new Map<TaskId, ResultHead>();
  const staying = new Map<TaskId, ResultHead>();
  await scanHeads(project, undefined, (head) => {
    const { id, facts, isBlob } = head;
    // What the jugfile computed itself, by `cached`, is in no plan, and is not lightly computed again.
    const isPlanners = facts?.fingerprint === noFingerprint && wish.target === undefined;
    const goes = !isKept(id) && isTarget(wish, id) && !isPlanners;
    if (goes) going.set(id, head);
    else if (isBlob) staying.set(id, head);
  });
  return { going, staying };
}

/** What is kept of compounds none of which is kept. */
async function idleExpansions(
  project: OpenProject,
  isKept: (id: TaskId) => boolean,
): Promise<Set<string>> {
  const idle = new Set<string>();
  for (const name of await listExpansions(project)) {
    const stored = await readExpansions(project, name);
    if (stored === undefined) continue;
    const { graph, expansions } = stored;
    if (!expansions.some(({ compound }) => isKept(idOf(graph, compound)))) idle.add(name);
  }
  return idle;
}

type Store = 'blobs' | 'plans' | 'code';

/** Removes things and keeps count of them. */
class Sweep {
  readonly #project: OpenProject;
  readonly #dryRun: boolean;
  readonly #functions = new Map<string, ObjectsUse>();
  /** What the records of runs said when their bucket stood at this revision. */
  #seenRuns: { readonly revision: number; readonly isPlanned: boolean } | undefined;
  readonly #removed = {
    ...{ results: 0, failures: 0, blobs: 0, plans: 0, code: 0, runs: 0 },
    bytes: 0,
  };

  constructor(project: OpenProject, dryRun: boolean) {
    this.#project = project;
    this.#dryRun = dryRun;
  }

  report(): Omit<CleanUp, 'kept'> {
    const { code: bundles, ...counts } = this.#removed;
    const sorted = [...this.#functions].sort(([a], [b]) => (a < b ? -1 : 1));
    return { ...counts, bundles, functions: Object.fromEntries(sorted) };
  }

  async removeResults(going: ReadonlyMap<TaskId, ResultHead>): Promise<void> {
    await inBatches([...going.values()], async ({ id, revision, bytes }) => {
      if (!this.#dryRun) {
        const { kind } = await this.#project.results.mark(id, revision);
        if (kind !== 'stored') return;
      }
      const { functionName } = splitTaskId(id);
      const use = this.#functions.get(functionName) ?? { objects: 0, bytes: 0 };
      this.#functions.set(functionName, { objects: use.objects + 1, bytes: use.bytes + bytes });
      this.#removed.results++;
      this.#removed.bytes += bytes;
    });
  }

  async removeFailures(goes: (id: TaskId) => boolean): Promise<void> {
    const entries = await this.#project.failures.list();
    // A record of something else about a task has its id and one word more.
    const going = entries.filter(({ key }) => goes(key.split('.').slice(0, 2).join('.') as TaskId));
    await inBatches(going, async ({ key, revision }) => {
      if (!this.#dryRun && (await this.#project.failures.delete(key, revision)) === undefined)
        return;
      this.#removed.failures++;
    });
  }

  /** Of tasks that stay, those records of differences whose result is gone. */
  async removeDifferences(isOf: (id: TaskId) => boolean): Promise<void> {
    const standing = new Set((await readDifferences(this.#project)).map((each) => each.task));
    const going = (await this.#project.failures.list('*.*.*')).filter(({ key, value }) => {
      const id = key.split('.').slice(0, 2).join('.') as TaskId;
      return isDifferenceKey(key) && value !== undefined && isOf(id) && !standing.has(id);
    });
    await inBatches(going, async ({ key, revision }) => {
      if (!this.#dryRun) await this.#project.failures.delete(key, revision);
    });
  }

  /** Records of runs, with what was wished for them. */
  async removeRuns(going: readonly RunRecord[]): Promise<void> {
    await inBatches(going, async ({ id }) => {
      this.#removed.runs++;
      if (this.#dryRun) return;
      for (const { key } of await this.#project.runs.list(`${id}.*`))
        await this.#project.runs.delete(key);
      await this.#project.runs.delete(id);
    });
  }

  async removeObjects(
    store: Store,
    goes: (object: { readonly name: string; readonly storedAt: number }) => boolean,
  ): Promise<void> {
    const objects = await listObjects(this.#project, this.#project.names[store]);
    for (const object of objects.filter(goes)) {
      if (!this.#dryRun) {
        // What is named by its content may be taken up again by whoever plans.
        if (await this.#isPlanned()) return;
        await this.#project[store].delete(object.name);
      }
      this.#removed[store]++;
      this.#removed.bytes += object.bytes;
    }
  }

  async removeLooseChunks(store: Store): Promise<void> {
    const { names } = this.#project;
    for (const chunks of await findLooseChunks(this.#project, names[store])) {
      if (!isOld(chunks.storedAt)) continue;
      if (!this.#dryRun) await removeChunks(this.#project, names[store], chunks.nuid);
      this.#removed[store]++;
      this.#removed.bytes += chunks.bytes;
    }
  }

  /**
   * Whether a run is being planned, as of now. Asked before each removal, so the records are read again only if one was
   * written since: with many old runs, reading them takes far longer than the removal.
   */
  async #isPlanned(): Promise<boolean> {
    // Asked for first: what is written while the records are read is looked at the next time.
    const revision = await this.#project.runs.lastRevision();
    if (revision !== this.#seenRuns?.revision) {
      const isPlanned = (await everyRun(this.#project)).some(isPlanning);
      this.#seenRuns = { revision, isPlanned };
    }
    return this.#seenRuns.isPlanned;
  }
}

async function inBatches<T>(all: readonly T[], act: (each: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += atOnce) {
    await Promise.all(all.slice(at, at + atOnce).map(act));
  }
}
