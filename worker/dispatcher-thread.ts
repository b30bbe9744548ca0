/**
 * The thread of a candidate for the dispatcher's role. It has a connection of its own, so that loading a large plan
 * here delays no heartbeat of the worker next door.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { connectBroker, type ConnectionSettings } from '../broker/connection.ts';
import { primeParser } from '../broker/prime-parser.ts';
import { closeProject, openProject } from '../broker/project.ts';
import { ensureTopology } from '../broker/topology.ts';
import { invariant } from '../core/errors.ts';
import type { Project } from '../core/identifiers.ts';
import { Dispatcher } from './dispatcher.ts';
import type { TraceEvent } from './trace.ts';

export interface DispatcherThreadData {
  readonly connection: ConnectionSettings;
  readonly project: Project;
  readonly replicas: number;
  readonly holder: string;
  readonly leaseMs: number;
  readonly sweepMs: number;
}

invariant(parentPort !== null, 'the dispatcher runs in a thread');
const port = parentPort;
const data = workerData as DispatcherThreadData;
const trace = (event: TraceEvent): void => {
  port.postMessage(event);
};

// The process's own connection tells its user of lost connections; twice would be once too often.
const connection = await connectBroker(data.connection, () => undefined);
primeParser(connection);
const project = await openProject(connection, {
  ...data,
  onUnreadable: (reason) => {
    trace({ kind: 'record-unreadable', reason });
  },
});
const dispatcher = new Dispatcher({
  project,
  holder: data.holder,
  leaseMs: data.leaseMs,
  sweepMs: data.sweepMs,
  restoreTopology: () => ensureTopology(project.manager, project.names, data.replicas),
  trace,
});

port.once('message', () => {
  void dispatcher
    .stop()
    .catch((error: unknown) => {
      trace({ kind: 'dispatcher-failed', reason: String(error) });
    })
    .then(() => closeProject(project))
    .finally(() => {
      port.close();
    });
});
