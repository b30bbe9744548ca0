/** Follows the results until a parked jugfile is whole: for programs that want its exports, whoever runs it. */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import { TaskIndex } from '../core/graph.ts';
import { isOver } from '../core/records.ts';
import type { LoadedJugfile, OpenJugfile } from './load-jugfile.ts';
import { allRuns } from './runs.ts';

/** How often it is asked whether the run has ended without what is waited for. */
const lookEveryMs = 1000;
/** A replica may lag behind the event that a result is there. */
const againMs = 100;

/**
 * Goes on with an evaluation whenever a result comes that it waits for, to its end.
 *
 * @throws JugqError `PARKED` if the newest run of the jugfile has ended otherwise; as `OpenJugfile.advance` does
 */
export async function untilWhole(
  project: OpenProject,
  jugfile: OpenJugfile,
): Promise<LoadedJugfile> {
  while (jugfile.loaded.waits.length > 0) {
    const before = jugfile.loaded;
    await oneWaitMet(project, before);
    const { waits, graph } = await jugfile.advance();
    if (waits.length > 0 && graph.count === before.graph.count) await delay(againMs);
  }
  return jugfile.loaded;
}

/** Resolves when all tasks of one wait are finished. */
async function oneWaitMet(project: OpenProject, loaded: LoadedJugfile): Promise<void> {
  const { graph, waits } = loaded;
  const index = new TaskIndex(graph);
  const wanted = waits.map(({ tasks }) => (typeof tasks === 'number' ? tasks : new Set(tasks)));
  const missing = wanted.map(
    (tasks) =>
      new Set(typeof tasks === 'number' ? Array.from({ length: tasks }, (_, at) => at) : tasks),
  );
  let tellMet: () => void = () => undefined;
  const met = new Promise<void>((resolve) => {
    tellMet = resolve;
  });
  const note = (task: number, present: boolean): void => {
    wanted.forEach((tasks, at) => {
      const concerns = typeof tasks === 'number' ? task < tasks : tasks.has(task);
      if (present) missing[at]?.delete(task);
      else if (concerns) missing[at]?.add(task);
    });
  };
  const look = (): void => {
    if (missing.some((each) => each.size === 0)) tellMet();
  };
  // Followed first, so that nothing comes between what is known and what is heard of.
  const from = (await project.results.lastRevision()) + 1;
  const heard: (readonly [number, boolean])[] = [];
  let isKnown = false;
  const following = project.results.follow(from, ({ id, present }) => {
    const task = index.find(id);
    if (task === -1) return;
    if (!isKnown) heard.push([task, present]);
    else {
      note(task, present);
      look();
    }
  });
  const ended = new AbortController();
  try {
    for (const { task, present } of await project.results.known(graph)) note(task, present);
    isKnown = true;
    for (const [task, present] of heard) note(task, present);
    look();
    await Promise.race([met, runEndedOtherwise(project, loaded, ended.signal)]);
  } finally {
    ended.abort();
    following.stop();
  }
}

/** Rejects when nobody can be expected to compute what is missing. */
async function runEndedOtherwise(
  project: OpenProject,
  { path, name, args, waits }: LoadedJugfile,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const newest = (await allRuns(project)).findLast(
      (each) => each.jugfile === name && isDeepStrictEqual(each.args, args),
    );
    if (newest !== undefined && isOver(newest.state) && newest.state !== 'finished') {
      throw new JugqError(
        'PARKED',
        `planning of ${path} cannot go on: at ${waits[0]?.place ?? 'its end'} it waits, and its run ${newest.id} is ${newest.state}: see jugq status --failed, then plan it again`,
      );
    }
    await delay(lookEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
