/**
 * `jugq run`: everything on this machine.
 *
 * The worker is a child process: a task that takes its process down takes down neither the planner nor the count of
 * crashes, and the worker is started again.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../core/built-file.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import type { RunId } from '../core/identifiers.ts';
import type { RunRecord } from '../core/records.ts';
import { isInterruption } from './commands/base.ts';
import { carryOut } from './carry-out.ts';
import { conclude, openRequested, submitRequested, type PlanRequest } from './plan-jugfile.ts';
import { nothingToRun } from './report.ts';
import { answerMs } from './cancel-run.ts';
import { wishCancelled } from './runs.ts';
import type { Session } from './session.ts';
import type { OpenJugfile } from './load-jugfile.ts';
import { watchRun } from './watch-run.ts';
import { recountRun, type Submitted } from './submit-run.ts';

/** Plans and executes until nothing is left to do. */
export async function runHere(session: Session, request: PlanRequest): Promise<number> {
  const startedAt = performance.now();
  const jugfile = await openRequested(session, request);
  try {
    return await runJugfile(session, request, { jugfile, startedAt });
  } finally {
    await jugfile.close();
  }
}

async function runJugfile(
  session: Session,
  request: PlanRequest,
  { jugfile, startedAt }: { readonly jugfile: OpenJugfile; readonly startedAt: number },
): Promise<number> {
  const submitted = await submitRequested(session, request, jugfile.loaded);
  if (submitted.complete) {
    if (!request.json) request.context.stderr.write(`${nothingToRun(submitted.record)}\n`);
    const { record } = submitted;
    return conclude(session, request, { loaded: jugfile.loaded, record, startedAt });
  }
  const dispatcher = session.startDispatcher(request.hooks.see);
  const worker = superviseWorker(session, request, queuesOf(session, submitted.record));
  // At once: what is cancelled only in a moment must not be begun meanwhile.
  request.context.interrupted.addEventListener('abort', () => void worker.stop(), { once: true });
  try {
    const record = await carryOutOrCancel(session, request, { jugfile, submitted });
    return await conclude(session, request, { loaded: jugfile.loaded, record, startedAt });
  } catch (error) {
    if (isInterruption(error)) {
      await worker.stop();
      await countWhatEnded(session, { jugfile, submitted });
    }
    throw error;
  } finally {
    await worker.stop();
    await dispatcher.stop();
  }
}

/** What was running when the run was cancelled has been finished since, and is to be seen by `status`. */
async function countWhatEnded(
  { project }: Session,
  { jugfile, submitted }: { readonly jugfile: OpenJugfile; readonly submitted: Submitted },
): Promise<void> {
  try {
    await recountRun(project, jugfile.loaded, submitted.record);
  } catch (error) {
    // A server that is gone or full now is no reason to end otherwise than as interrupted.
    if (!isJugqError(error)) throw error;
  }
}

/** On this machine nobody else may take the queues that the jugfile names. */
function queuesOf(session: Session, { queues }: RunRecord): string[] {
  return [...new Set([...session.settings.queues, ...Object.values(queues)])];
}

/** Whoever interrupts `run` wants it to stop: its run is cancelled, its results stay. */
async function carryOutOrCancel(
  session: Session,
  request: PlanRequest,
  planned: { readonly jugfile: OpenJugfile; readonly submitted: Submitted },
): Promise<RunRecord> {
  try {
    return await carryOut(session, request, planned);
  } catch (error) {
    if (isInterruption(error)) {
      request.context.stderr.write(
        'interrupted: finishing what runs; interrupt again to end at once; stored results stay\n',
      );
      const { id } = planned.submitted.record;
      await cancelQuietly(session, request, id);
      throw new JugqError('INTERRUPTED', `run ${id} was interrupted: run it again to go on`);
    }
    throw error;
  }
}

/**
 * Cancels the run and waits until it is so: else it would seem to go on. Where the wish cannot be written (the server is
 * full), the interruption is still what ended this command.
 */
async function cancelQuietly(session: Session, request: PlanRequest, run: RunId): Promise<void> {
  try {
    await wishCancelled(session.project, run, { finish: true });
    await watchRun(session.project, {
      run,
      signal: request.context.aborted,
      timeoutMs: answerMs,
      onChange: () => undefined,
    });
  } catch (error) {
    if (!isJugqError(error)) throw error;
    if (isInterruption(error)) return;
    const why =
      error.code === 'TIMED_OUT'
        ? 'nobody dispatches: whoever does next cancels it'
        : error.message;
    request.context.stderr.write(`run ${run} is not cancelled yet: ${why}\n`);
  }
}

interface Supervised {
  stop(): Promise<void>;
}

const restartMs = 500;
/** A worker that ends so soon so often will not do better the next time. */
const earlyMs = 3000;
const earlyDeathsMax = 5;
/** A worker that is told to end at once hands back what it has; that is a matter of moments. */
const abortMs = 5000;

/** Keeps a worker running in a child process until `stop`. */
function superviseWorker(
  session: Session,
  request: PlanRequest,
  queues: readonly string[],
): Supervised {
  const { stderr, aborted } = request.context;
  let stopped = false;
  let early = 0;
  let child = start();
  function start(): ChildProcess {
    const startedAt = performance.now();
    const started = spawn(
      process.execPath,
      [...process.execArgv, ...workerCommand(session, queues)],
      {
        cwd: session.cwd,
        env: { ...request.context.env, ...session.childEnvironment },
        stdio: ['pipe', 'ignore', 'pipe'],
      },
    );
    createInterface({ input: started.stderr }).on('line', (line) => stderr.write(`${line}\n`));
    started.once('exit', (status, signal) => {
      if (stopped) return;
      early = performance.now() - startedAt < earlyMs ? early + 1 : 0;
      const how = signal ?? `status ${String(status)}`;
      if (early >= earlyDeathsMax) {
        stderr.write(
          `the worker ended again (${how}) and is not started any more: start one by hand with jugq worker to see why\n`,
        );
        return;
      }
      stderr.write(`the worker ended (${how}); starting it again\n`);
      setTimeout(() => {
        if (!stopped) child = start();
      }, restartMs);
    });
    return started;
  }
  const abort = (): void => {
    // Two different ones: pending signals of one kind become one.
    child.kill('SIGINT');
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), abortMs).unref();
  };
  return {
    async stop() {
      stopped = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      aborted.addEventListener('abort', abort, { once: true });
      if (aborted.aborted) abort();
      // The end of its input tells a supervised worker to finish.
      child.stdin?.end();
      await gone;
      aborted.removeEventListener('abort', abort);
    },
  };
}

function workerCommand(session: Session, queues: readonly string[]): string[] {
  return [
    fileURLToPath(builtFile('cli/main.js')),
    'worker',
    '--supervised',
    '-j',
    session.settings.threads.toString(),
    '--queue',
    queues.join(','),
  ];
}
