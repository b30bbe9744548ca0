/** What a worker knows of how far tasks have come, once they have ended, in whatever way. */
import test from 'ava';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleJugfile } from '../../cli/bundle.ts';
import { encodeArguments } from '../../core/codec.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { quarantine } from '../../worker/quarantine.ts';
import { packTasks, type Outcome } from '../../worker/task-protocol.ts';
import { RunnerDied, taskThread, type Runner } from '../../worker/task-runner.ts';
import { LinkHost } from '../../worker/thread-link.ts';
import { idFor } from '../kit/project.ts';

let directory: string;
let file: string;

test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jugq-progress-'));
  const jugfile = join(directory, 'jugfile.ts');
  await writeFile(
    jugfile,
    `
    import { setTimeout as delay } from 'node:timers/promises';
    import { context, task } from 'jugq';
    task(function leaves(): void {
      setInterval(() => context().progress(0.5), 5);
    });
    task(async function leavesOnce(ms: number): Promise<void> {
      const { attempt, progress } = context();
      if (attempt === 1) setInterval(() => progress(0.5), 5);
      else {
        progress(0.25);
        await delay(ms);
      }
    });
    task(async function waits(ms: number): Promise<void> {
      await delay(ms);
    });
    task(async function dies(ms: number): Promise<void> {
      context().progress(0.75);
      await delay(ms);
      // Past what stands in for process.exit: the thread or process itself.
      (process as unknown as { reallyExit(status: number): void }).reallyExit(3);
    });
    `,
  );
  const bundle = await bundleJugfile(jugfile);
  file = join(directory, 'bundle.mjs');
  await writeFile(file, bundle.code);
});

test.after.always(() => rm(directory, { recursive: true, force: true }));

function newHost(): LinkHost {
  return new LinkHost({
    read: () => Promise.resolve([]),
    readPiece: () => Promise.resolve(undefined),
  });
}

/** Runs one task by itself. */
function run(runner: Runner, id: TaskId, attempt = 1): Promise<Outcome[]> {
  const args = encodeArguments([200], () => undefined);
  const tasks = packTasks([{ id, attempt, arguments: args, inputs: [] }]);
  const recalled = new AbortController().signal;
  return runner.run({ file, tasks }, { tasks: [id], timeoutMs: undefined, recalled });
}

/** What is told while something runs, without repetitions. */
async function toldDuring(host: LinkHost, running: Promise<unknown>): Promise<number[]> {
  const told = new Set<number>();
  const look = setInterval(() => {
    for (const { fraction } of host.progress) told.add(fraction);
  }, 1);
  try {
    await running;
  } finally {
    clearInterval(look);
  }
  return [...told];
}

test('progress: a timer that tells when its task has ended: nothing of it is kept', async (t) => {
  const host = newHost();
  const thread = taskThread(host);
  t.teardown(() => thread.close());
  const [outcome] = await run(thread, idFor('leaves', 1));
  t.is(outcome?.kind, 'done');
  t.deepEqual(await toldDuring(host, run(thread, idFor('waits', 1))), []);
  t.deepEqual(host.progress, []);
  t.deepEqual(host.listening, []);
});

test('progress: a timer of an attempt that has ended: is silent while the next attempt tells', async (t) => {
  const host = newHost();
  const thread = taskThread(host);
  t.teardown(() => thread.close());
  const id = idFor('leavesOnce', 1);
  await run(thread, id, 1);
  t.deepEqual(await toldDuring(host, run(thread, id, 2)), [0.25]);
  await run(thread, idFor('waits', 2));
  t.deepEqual(host.progress, []);
});

for (const [where, open] of [
  ['thread', taskThread],
  ['process', quarantine],
] as const) {
  test(`progress: a task whose ${where} dies after it has told: nothing is left of it`, async (t) => {
    const host = newHost();
    const runner = open(host);
    t.teardown(() => runner.close());
    const dying = t.throwsAsync(run(runner, idFor('dies', 1)), { instanceOf: RunnerDied });
    t.deepEqual(await toldDuring(host, dying), [0.75]);
    // What the dead one sent last has come by then.
    await run(runner, idFor('waits', 3));
    t.deepEqual(host.progress, []);
    t.deepEqual(host.listening, []);
  });
}

test('progress: messages that overtake the news of a death, or come behind it: are not kept', async (t) => {
  const host = newHost();
  const id = idFor('late', 1);
  const send = (): void => undefined;
  const tell = (): void => {
    host.take({ kind: 'watch', task: id }, send);
    host.take({ kind: 'progress', task: id, fraction: 0.5 }, send);
  };
  await host.during([id], () => {
    tell();
    t.is(host.progress.length, 1);
    return Promise.resolve();
  });
  t.deepEqual([host.progress, host.listening], [[], []]);
  tell();
  t.deepEqual([host.progress, host.listening], [[], []]);
});

test('progress: a batch ends while another attempt at its task runs: that one is still heard', async (t) => {
  const host = newHost();
  const id = idFor('twice', 1);
  let end: () => void = () => undefined;
  const first = host.during([id], () => new Promise<void>((resolve) => (end = resolve)));
  await host.during([id, idFor('twice', 2)], async () => {
    host.take({ kind: 'watch', task: id }, () => undefined);
    host.take({ kind: 'progress', task: id, fraction: 0.5 }, () => undefined);
    end();
    await first;
    t.is(host.progress.length, 1);
  });
  t.deepEqual([host.progress, host.listening], [[], []]);
});
