/**
 * jugq in the table of its peers, through its commands.
 *
 * The peers' tasks are handed in by a process that is up and connected. So what `jugq plan` takes for a plan of one task,
 * which is starting up and connecting, is measured in the same minute and taken off.
 */
import { openStage, secondsToPlan, stopWorkers, type PlannedRun, type Stage } from '../stage.ts';
import { checkValues, type Peer, type PeerWork } from './peer-work.ts';

/** The peer; others are measured beside it. */
export function jugqPeer(binary: string): Peer {
  return {
    name: 'jugq',
    prepare: () => Promise.resolve(undefined),
    async measure(work) {
      const startUp = await startUpSeconds(binary);
      await using stage = await openStage(binary);
      const flags = work.ms > 0 ? ['-j', '1'] : [];
      const workers = work.workers > 0 ? await stage.startWorkers(work.workers, ...flags) : [];
      const run = await stage.plan(...jugfileOf(work));
      if (work.shape === 'intake') return secondsToPlan(run) - startUp;
      await stage.end(run);
      checkValues(work, await stage.values());
      const figure = await figureOf(stage, work, run, startUp);
      await stopWorkers(workers);
      return figure;
    },
  };
}

async function figureOf(
  stage: Stage,
  work: PeerWork,
  run: PlannedRun,
  startUp: number,
): Promise<number> {
  if (work.shape === 'again') {
    const again = await stage.plan(...jugfileOf(work));
    await stage.end(again);
    return secondsToPlan(again) - startUp;
  }
  const { firstAt, lastAt } = await stage.resultTimes();
  if (work.shape === 'chain') return (lastAt - firstAt) / (work.tasks - 1);
  return (lastAt - run.startedAt) / 1000 - startUp;
}

/** On a server of its own, so that the worker that is measured knows as little as those of the peers. */
async function startUpSeconds(binary: string): Promise<number> {
  await using stage = await openStage(binary);
  return secondsToPlan(await stage.plan('many.ts', '1'));
}

function jugfileOf({ shape, tasks, ms }: PeerWork): [string, ...string[]] {
  switch (shape) {
    case 'flood':
      return ms > 0 ? ['sleep.ts', tasks.toString(), ms.toString()] : ['many.ts', tasks.toString()];
    case 'again':
    case 'intake':
      return ['many.ts', tasks.toString()];
    case 'chain':
      return ['chain.ts'];
    case 'fan-in':
      return ['fan-in.ts'];
    case 'tree':
      return ['tree.ts'];
  }
}
