/** Queues with work that no worker takes: the commonest reason why a run does not move, and one that is easily mended. */
import { valueFor, type RunRecord, type WorkerRecord } from '../core/records.ts';

/** Queues with ready tasks of the runs that none of the workers takes, in the order of their names. */
export function lonelyQueues(
  runs: readonly Pick<RunRecord, 'functions' | 'queues'>[],
  workers: readonly Pick<WorkerRecord, 'queues'>[],
): string[] {
  const taken = new Set(workers.flatMap((each) => each.queues));
  const wanted = runs.flatMap(({ functions, queues }) =>
    Object.entries(queues)
      .filter(([name]) => (valueFor(functions, name)?.ready ?? 0) > 0)
      .map(([, queue]) => queue),
  );
  return [...new Set(wanted)].filter((each) => !taken.has(each)).sort();
}

/** What to do about queues that nobody takes. */
export function loneliness(queues: readonly string[], workers: number): string[] {
  const notes = queues
    .filter((each) => workers > 0 || each !== 'default')
    .map((each) => `no worker takes the queue ${each}: start one with jugq worker --queue ${each}`);
  const isLone = workers === 0 && (queues.length === 0 || queues.includes('default'));
  return isLone ? [...notes, 'no worker is there: start one with jugq worker'] : notes;
}
