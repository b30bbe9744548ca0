/** `jugq worker`: a worker and a candidate for dispatching in this process, until something ends it. */
import type { CommandContext } from './commands/base.ts';
import { existsSync } from 'node:fs';
import type { DaemonLog } from './daemon-log.ts';
import { loadHooks } from './hooks.ts';
import type { Metrics } from './metrics.ts';
import type { Session } from './session.ts';
import { countOf } from './report.ts';
import { primeParser } from '../broker/prime-parser.ts';
import { readRun } from '../broker/run-records.ts';
import type { RunRecord } from '../core/records.ts';
import { activeRuns, isActive } from './runs.ts';
import { startWorker } from './start-worker.ts';
import { tuneEngine } from '../worker/engine.ts';
import type { TraceEvent } from '../worker/trace.ts';

export interface WorkRequest {
  readonly log: DaemonLog;
  readonly exitWhenDone: boolean;
  /** A `jugq run` started it, reads its talk, and ends it by closing its standard input. */
  readonly supervised: boolean;
  readonly context: CommandContext;
}

type Ending = 'done' | 'interrupted' | 'aborted' | 'limit' | 'orphaned';

/** Works until it is interrupted, limited or done. */
export async function workHere(session: Session, request: WorkRequest): Promise<number> {
  tuneEngine();
  primeParser(session.project.connection);
  const { settings } = session;
  const { context } = request;
  const { log } = request;
  const { say } = log;
  if (settings.stopFile !== undefined && existsSync(settings.stopFile)) {
    say(`the stop file ${settings.stopFile} is there: nothing is taken until it is removed`);
    return 0;
  }
  const ended = new AbortController();
  const endings: Promise<Ending>[] = [whenAborted(context.interrupted, 'interrupted')];
  const hooks = await loadHooks(settings, { cwd: session.cwd, say });
  const metrics = await metricsFor(session, request);
  const seen = (event: TraceEvent, worker: string): void => {
    log.see(event);
    hooks.see(event, worker);
    metrics?.see(event);
  };
  // A `jugq run` dispatches itself, and its worker ends with it.
  const dispatcher = request.supervised
    ? undefined
    : session.startDispatcher((event) => {
        seen(event, '');
      });
  const worker = await startWorker(session, seen);
  hooks.emit('worker:started', { worker: worker.id, threads: settings.threads });
  if (metrics !== undefined)
    say(`metrics: http://${settings.metricsHost}:${metrics.port.toString()}/metrics`);
  if (!request.supervised) {
    const queues = settings.queues.join(', ');
    say(
      `worker ${worker.id}: ${countOf(settings.threads, 'thread')}, queue ${queues}, project ${settings.project}, ${session.serverName}`,
    );
  }
  if (request.exitWhenDone) endings.push(whenDone(session, ended.signal));
  if (request.supervised) endings.push(whenClosed(context));
  if (settings.maxTime !== undefined) endings.push(after(settings.maxTime, ended.signal));
  if (settings.maxTasks !== undefined)
    endings.push(worker.limitReached.then(() => 'limit' as const));
  if (settings.stopFile !== undefined)
    endings.push(whenFileIsThere(settings.stopFile, ended.signal));
  const ending = await Promise.race(endings);
  ended.abort();
  if (ending === 'limit' && [...worker.daemon.running.values()].some((count) => count > 0)) {
    say('its limit is reached: finishing what runs');
  }
  if (ending === 'interrupted' && !request.supervised) {
    say('finishing what runs; interrupt again to end at once');
  }
  const drained = worker.daemon.drain();
  const aborted = whenAborted(context.aborted, 'aborted');
  const drain = await Promise.race([drained, aborted]);
  if (drain === 'aborted') await worker.daemon.abort();
  else if (drain > 0) {
    say(
      `the server had no room for the results of ${countOf(drain, 'parcel')}: their tasks run again once it has: free space with jugq cleanup, or raise its limits`,
    );
  }
  await dispatcher?.stop();
  await worker.close();
  hooks.emit('worker:ended', { worker: worker.id, tasks: worker.daemon.begun });
  await hooks.settle();
  await metrics?.close();
  if (!request.supervised)
    say(`worker ${worker.id}: ${countOf(worker.daemon.begun, 'task')}, ${reasons[ending]}`);
  return 0;
}

/** The library for them is loaded only where they are wanted; a `jugq run` is no daemon, and its workers come and go. */
async function metricsFor(
  session: Session,
  { supervised }: WorkRequest,
): Promise<Metrics | undefined> {
  const { metricsPort: port, metricsHost: host } = session.settings;
  if (port === undefined || supervised) return undefined;
  const { startMetrics } = await import('./metrics.ts');
  return startMetrics(session, { port, host });
}

const reasons: Record<Ending, string> = {
  done: 'nothing is left to do',
  interrupted: 'interrupted',
  aborted: 'ended',
  limit: 'its limit is reached',
  orphaned: 'its starter is gone',
};

function whenAborted<E extends Ending>(signal: AbortSignal, ending: E): Promise<E> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(ending);
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve(ending);
        },
        { once: true },
      );
  });
}

function whenClosed(context: CommandContext): Promise<Ending> {
  return new Promise((resolve) => {
    context.stdin.once('end', () => {
      resolve('orphaned');
    });
    context.stdin.once('error', () => {
      resolve('orphaned');
    });
    context.stdin.resume();
  });
}

function after(ms: number, signal: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve('limit');
    }, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
    });
  });
}

const stopFileEveryMs = 1000;

function whenFileIsThere(path: string, signal: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (existsSync(path)) resolve('limit');
    }, stopFileEveryMs);
    signal.addEventListener('abort', () => {
      clearInterval(timer);
    });
  });
}

/** How often it is looked whether an active run is one no more, though nothing was written of it. */
const activityEveryMs = 2000;

/** Resolves when no run is active: at once if there is none. */
async function whenDone(session: Session, signal: AbortSignal): Promise<Ending> {
  const active = new Map<string, RunRecord>(
    (await activeRuns(session.project)).map((each) => [each.id, each]),
  );
  // After the signal nobody asks any more.
  if (active.size === 0 || signal.aborted) return 'done';
  return new Promise((resolve) => {
    const look = (): void => {
      if (![...active.values()].some(isActive)) resolve('done');
    };
    const following = session.project.runs.follow(1, (entry) => {
      const record = readRun(session.project, entry);
      if (entry.value === undefined) active.delete(entry.key);
      if (record !== undefined && isActive(record)) active.set(record.id, record);
      else if (record !== undefined) active.delete(record.id);
      look();
    });
    const timer = setInterval(look, activityEveryMs);
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      following.stop();
    });
  });
}
