/** A worker in this process, with the second connection that its heartbeats need. */
import { hostname } from 'node:os';
import { connectBroker } from '../broker/connection.ts';
import { inProgress } from '../broker/pull.ts';
import { startRunners } from '../worker/runners.ts';
import type { TraceEvent } from '../worker/trace.ts';
import { WorkerDaemon } from '../worker/worker.ts';
import type { Session } from './session.ts';

export interface StartedWorker {
  readonly id: string;
  readonly daemon: WorkerDaemon;
  /** Resolves when as many tasks have been done as the settings allow. */
  readonly limitReached: Promise<void>;
  close(): Promise<void>;
}

/** Starts a worker as the settings say. */
export async function startWorker(
  session: Session,
  trace: (event: TraceEvent, worker: string) => void,
): Promise<StartedWorker> {
  const { settings, project } = session;
  const id = `${hostname().replaceAll(/[^A-Za-z0-9-]/g, '-')}-${process.pid.toString()}-${Math.random().toString(36).slice(2, 6)}`;
  // First, since they need a moment to start.
  const runners = startRunners(project, id, settings.threads);
  // Large results on the main connection must not delay heartbeats; the main one tells of losses for both.
  const pulse = await connectBroker(
    { ...session.connection, name: `jugq heartbeat ${id}` },
    () => undefined,
  ).catch(async (error: unknown) => {
    await runners.close();
    throw error;
  });
  let reach: () => void = () => undefined;
  const limitReached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  let acked = 0;
  const daemon = new WorkerDaemon({
    project,
    id,
    runners,
    queues: settings.queues,
    ackWaitMs: settings.ackWait,
    beat: (replySubject) => {
      if (!pulse.isClosed()) pulse.publish(replySubject, inProgress);
    },
    directory: session.cwd,
    ...(settings.maxTasks === undefined ? {} : { maxTasks: settings.maxTasks }),
    trace: (event) => {
      trace(event, id);
      if (event.kind !== 'parcel-acked') return;
      acked += event.tasks;
      if (acked >= (settings.maxTasks ?? Infinity)) reach();
    },
  });
  return { id, daemon, limitReached, close: () => pulse.close() };
}
