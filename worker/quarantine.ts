/**
 * Runs suspects: tasks of a message that was delivered before and never answered, one of which may kill its process.
 *
 * Each runs in a child process with no other task in it. A child that dies takes nobody along, and says for certain
 * which task did it. No task is accused of a process that could not be started.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../core/built-file.ts';
import {
  graceFor,
  recalledNow,
  RunnerDied,
  timedOut,
  type BatchEnds,
  type Runner,
} from './task-runner.ts';
import type { LinkHost, LinkMessage } from './thread-link.ts';
import { childReady, unpackOutcomes, type Batch, type Outcome } from './task-protocol.ts';

/** A process that is not there after this long hangs: Node itself takes a tenth of a second. */
const startMsMax = 60_000;

/**
 * A runner with one child for each batch that runs at the same time; idle children are used again.
 *
 * @param startMs - how long a child may take to start
 */
export function quarantine(host: LinkHost, { startMs = startMsMax } = {}): Runner {
  const idle: ChildProcess[] = [];
  const busy = new Set<ChildProcess>();
  let closing = false;
  return {
    async run(batch, ends) {
      const used = takeLiving(idle);
      const child = used ?? start(host);
      busy.add(child);
      try {
        if (used === undefined) await ready(child, startMs);
        if ((await ends.begin?.()) === false) {
          idle.push(child);
          return [];
        }
        // It may have ended meanwhile, unheard.
        if (!isLiving(child)) throw unstarted('it ended before it was given anything');
        const outcomes = await host.during(ends.tasks, () =>
          runIn(child, batch, { ...ends, host }),
        );
        idle.push(child);
        return outcomes;
      } catch (error) {
        // It is in no list any more.
        child.kill('SIGKILL');
        throw closing ? new RunnerDied('aborted', 'it was ended') : error;
      } finally {
        busy.delete(child);
      }
    },
    async close() {
      closing = true;
      const all = [...idle, ...busy].filter(isLiving);
      const gone = all.map((child) => new Promise((resolve) => child.once('exit', resolve)));
      for (const child of all) child.kill('SIGKILL');
      await Promise.all(gone);
    },
  };
}

function isLiving(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** What a task left behind may have ended its process later. */
function takeLiving(idle: ChildProcess[]): ChildProcess | undefined {
  for (let child = idle.pop(); child !== undefined; child = idle.pop()) {
    if (isLiving(child) && child.connected) return child;
  }
  return undefined;
}

/** @throws RunnerDied `unstarted`, here or in `ready`: the system says so sooner or later, as the reason may be */
function start(host: LinkHost): ChildProcess {
  const child = forked();
  // Whoever waits for the outcome hears of it; nobody else wants to.
  child.on('error', () => undefined);
  child.on('message', (message) => {
    if (message instanceof Uint8Array || message === childReady) return;
    host.take(message as LinkMessage, (reply) => {
      if (child.connected) child.send(reply);
    });
  });
  return child;
}

function forked(): ChildProcess {
  try {
    return fork(fileURLToPath(builtFile('worker/quarantine-child.js')), {
      serialization: 'advanced',
      stdio: ['ignore', 2, 2, 'ipc'],
    });
  } catch (error) {
    throw unstarted(reasonOf(error));
  }
}

/** Resolves when the child can be given tasks: what it dies of before is no task's doing. */
function ready(child: ChildProcess, startMs: number): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  return new Promise<void>((resolve, reject) => {
    late = setTimeout(() => {
      reject(unstarted(`it did not start within ${(startMs / 1000).toString()} s`));
    }, startMs);
    const hear = (message: unknown): void => {
      if (message !== childReady) return;
      child.off('message', hear);
      resolve();
    };
    child.on('message', hear);
    child.once('error', (error) => {
      reject(unstarted(reasonOf(error)));
    });
    child.once('exit', (status, signal) => {
      reject(unstarted(`it ended at once (${signal ?? String(status)}), see what it printed`));
    });
  }).finally(() => {
    clearTimeout(late);
  });
}

function unstarted(reason: string): RunnerDied {
  return new RunnerDied('unstarted', `a task that needs a process of its own got none: ${reason}`);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function runIn(
  child: ChildProcess,
  batch: Batch,
  until: BatchEnds & { readonly host: LinkHost },
): Promise<Outcome[]> {
  const { timeoutMs, recalled, tasks, host } = until;
  const settled = new AbortController();
  const ends = { signal: settled.signal };
  const died = deathOf(child, settled.signal);
  const replied = outcomesOf(child, settled.signal).then(unpackOutcomes);
  const ended = once(recalled, 'abort', ends).then(async () => {
    const death = recalledNow();
    await graceFor(host, tasks, death.message);
    child.kill('SIGKILL');
    throw death;
  });
  const waits = [died, replied, ended, sent(child, batch)];
  if (timeoutMs !== undefined) {
    const late = delay(timeoutMs, undefined, ends).then(async () => {
      const death = timedOut(timeoutMs);
      await graceFor(host, tasks, death.message);
      child.kill('SIGKILL');
      throw death;
    });
    waits.push(late);
  }
  try {
    return await Promise.race(waits);
  } finally {
    settled.abort();
    // Those that lost the race end with the abort, and nobody waits for them.
    for (const each of waits) each.catch(() => undefined);
  }
}

/** Gives a batch to a child; rejected if it does not get there, so that nothing of it has begun. */
function sent(child: ChildProcess, batch: Batch): Promise<never> {
  return new Promise((_, reject) => {
    child.send(batch, (error) => {
      if (error !== null) reject(unstarted(error.message));
    });
  });
}

/**
 * Rejected when the child has ended, and with nothing else: an 'error' tells of a reply to it that did not get through,
 * and would hide what it died of.
 */
function deathOf(child: ChildProcess, settled: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onExit = (status: number | null, signal: string | null): void => {
      reject(
        signal === null
          ? new RunnerDied('exit', `it ended its process with process.exit(${String(status)})`)
          : new RunnerDied('killed', `its process died of ${signal}`),
      );
    };
    child.once('exit', onExit);
    settled.addEventListener('abort', () => child.off('exit', onExit));
  });
}

/** The next message that is no question. */
function outcomesOf(child: ChildProcess, settled: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const onMessage = (message: unknown): void => {
      if (message instanceof Uint8Array) resolve(message);
    };
    child.on('message', onMessage);
    settled.addEventListener('abort', () => child.off('message', onMessage));
  });
}
