/**
 * Runs suspects: tasks of a message that was delivered before and never answered, one of which may kill its process.
 *
 * Each runs in a child process with no other task in it. A child that dies takes nobody along, and says for certain
 * which task did it.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  graceFor,
  recalledNow,
  RunnerDied,
  timedOut,
  type BatchEnds,
  type Runner,
} from './task-runner.ts';
import { threadFile } from './thread-file.ts';
import type { LinkHost, LinkMessage } from './thread-link.ts';
import { unpackOutcomes, type Batch, type Outcome } from './task-protocol.ts';

/** A runner with one child for each batch that runs at the same time; idle children are used again. */
export function quarantine(host: LinkHost): Runner {
  const idle: ChildProcess[] = [];
  const busy = new Set<ChildProcess>();
  let closing = false;
  return {
    async run(batch, ends) {
      const child = takeLiving(idle) ?? start(host);
      busy.add(child);
      try {
        const outcomes = await host.during(ends.tasks, () =>
          runIn(child, batch, { ...ends, host }),
        );
        idle.push(child);
        return outcomes;
      } catch (error) {
        throw closing ? new RunnerDied('aborted', 'it was ended') : error;
      } finally {
        busy.delete(child);
      }
    },
    async close() {
      closing = true;
      const all = [...idle, ...busy].filter(isLiving);
      const gone = all.map((child) => once(child, 'exit'));
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

function start(host: LinkHost): ChildProcess {
  const child = fork(fileURLToPath(threadFile('quarantine-child')), {
    serialization: 'advanced',
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  // Whoever waits for the outcome hears of it; nobody else wants to.
  child.on('error', () => undefined);
  child.on('message', (message) => {
    if (message instanceof Uint8Array) return;
    host.take(message as LinkMessage, (reply) => {
      if (child.connected) child.send(reply);
    });
  });
  return child;
}

async function runIn(
  child: ChildProcess,
  batch: Batch,
  until: BatchEnds & { readonly host: LinkHost },
): Promise<Outcome[]> {
  const { timeoutMs, recalled, tasks, host } = until;
  const settled = new AbortController();
  const ends = { signal: settled.signal };
  const died = once(child, 'exit', ends).then(([status, signal]: (number | string | null)[]) => {
    throw signal === null
      ? new RunnerDied('exit', `it ended its process with process.exit(${String(status)})`)
      : new RunnerDied('killed', `its process died of ${String(signal)}`);
  });
  const replied = outcomesOf(child, ends).then(unpackOutcomes);
  const ended = once(recalled, 'abort', ends).then(async () => {
    const death = recalledNow();
    await graceFor(host, tasks, death.message);
    child.kill('SIGKILL');
    throw death;
  });
  const waits = [died, replied, ended];
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
    child.send(batch);
    return await Promise.race(waits);
  } finally {
    settled.abort();
    // Those that lost the race end with the abort, and nobody waits for them.
    for (const each of waits) each.catch(() => undefined);
  }
}

/** The next message that is no question. */
async function outcomesOf(
  child: ChildProcess,
  ends: { readonly signal: AbortSignal },
): Promise<Uint8Array> {
  for (;;) {
    const [message] = (await once(child, 'message', ends)) as unknown[];
    if (message instanceof Uint8Array) return message;
  }
}
