/**
 * What becomes of a suspect where no process can be started for it.
 *
 * In a file of its own: for a while nothing here can start another Node.
 */
import test from 'ava';
import { encodeRecord, recordFormat, type FailureRecord } from '../../core/records.ts';
import { quarantine } from '../../worker/quarantine.ts';
import type { RunnerDied } from '../../worker/task-runner.ts';
import { LinkHost } from '../../worker/thread-link.ts';
import { eventually } from '../kit/eventually.ts';
import { startedBy, startTrial } from '../kit/trial.ts';

const node = process.execPath;

test.serial('a process that hangs while it starts: it is ended, and accuses no task', async (t) => {
  t.teardown(() => {
    delete process.env['NODE_OPTIONS'];
  });
  process.env['NODE_OPTIONS'] = '--import=data:text/javascript,for(;;);';
  const values = { read: () => Promise.resolve([]), readPiece: () => Promise.resolve(undefined) };
  const runner = quarantine(new LinkHost(values), { startMs: 1000 });
  const batch = { file: 'none.mjs', tasks: new Uint8Array() };
  const ends = { tasks: [], timeoutMs: undefined, recalled: new AbortController().signal };
  const death = await t.throwsAsync<RunnerDied>(runner.run(batch, ends));
  t.is(death.kind, 'unstarted');
  t.regex(death.message, /did not start within 1 s/);
  await runner.close();
});

for (const [how, path, options] of [
  ['cannot be started', '/nowhere/node', ''],
  // Refused before the system is asked, as by a system that is out of memory.
  ['cannot even be asked for', 'no\0node', ''],
  // It is there for a moment, and gone before it could be given anything.
  ['ends at once', node, '--no-such-option'],
] as const) {
  test.serial(
    `a suspect whose process ${how}: goes back with nothing on record, and is run when there is one`,
    async (t) => {
      t.teardown(() => {
        process.execPath = node;
        delete process.env['NODE_OPTIONS'];
      });
      await using trial = await startTrial();
      const run = await trial.submit(`
        import { setTimeout as delay } from 'node:timers/promises';
        import { task } from 'jugq';
        export const end = task(async function suspect() { await delay(300); return 'done'; })();
      `);
      const [id] = trial.ids(run, 'suspect');
      if (id === undefined) throw new Error('the jugfile declares it');
      trial.startDispatcher();
      const dying = await trial.startWorker({
        onEvent: (event, worker) => {
          if (event.kind === 'task-started') void worker.crash();
        },
      });
      await eventually('the first delivery', () => startedBy(dying).length > 0);
      // One more strike than this, and it would be poison at its next start.
      const strikes: FailureRecord = {
        ...{ format: recordFormat, kind: 'strike', task: id, attempt: 1, strikes: 0, expects: 0 },
        vanished: 9,
        error: { name: 'Strike', message: '', stack: '' },
        ...{ worker: 'gone', at: new Date().toISOString() },
      };
      await trial.project.failures.put(id, encodeRecord(strikes), 0);
      process.execPath = path;
      process.env['NODE_OPTIONS'] = options;
      const takenAt: number[] = [];
      const worker = await trial.startWorker({
        threads: 1,
        onEvent: (event) => {
          if (event.kind === 'parcel-taken' && event.deliveries > 1)
            takenAt.push(performance.now());
        },
      });
      // Its only thread's place is free again each time.
      const [first = 0, second = 0] = await eventually('a second try', () => {
        return takenAt.length > 2 && takenAt;
      });
      t.true(second - first > 1500, 'with a pause');
      t.deepEqual(startedBy(worker), []);
      t.false(worker.events.some(({ kind }) => kind === 'task-failed' || kind === 'struck'));
      const troubles = worker.events.flatMap((each) =>
        each.kind === 'trouble' ? each.reason : [],
      );
      t.is(troubles.length, 1);
      t.regex(troubles[0] ?? '', /needs a process of its own got none: /);
      t.like(await trial.failure(id), { kind: 'strike', strikes: 0, vanished: 9 });
      process.execPath = node;
      delete process.env['NODE_OPTIONS'];
      t.is((await trial.end(run)).state, 'finished');
      t.is(await trial.value(id), 'done');
      await eventually('the record to go', async () => (await trial.failure(id)) === undefined);
      t.true(worker.events.some(({ kind }) => kind === 'recovered'));
    },
  );
}
