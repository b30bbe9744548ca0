/** From settings to an open project: on the server that is named, or on the private one of this directory. */
import { hostname } from 'node:os';
import { connectBroker, type ConnectionSettings, type Notice } from '../broker/connection.ts';
import { closeProject, openProject, type OpenProject } from '../broker/project.ts';
import { DispatcherHost } from '../worker/dispatcher-host.ts';
import type { Trace } from '../worker/trace.ts';
import type { LoadedSettings, Settings } from './settings.ts';

export interface Session {
  readonly settings: Settings;
  readonly cwd: string;
  readonly project: OpenProject;
  /** For connections of threads and of heartbeats. */
  readonly connection: ConnectionSettings;
  /** The server, for people. */
  readonly serverName: string;
  /** What makes a child process find the same server and project. */
  readonly childEnvironment: Readonly<Record<string, string>>;
  /** Makes this process a candidate for the dispatcher's role. */
  startDispatcher(trace: Trace): { stop(): Promise<void> };
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly cwd: string;
  /** What this process is, for the server's list of connections. */
  readonly role: string;
  /** Says a line to the user. */
  readonly say: (line: string) => void;
}

/**
 * Opens the project that the settings name.
 *
 * @throws JugqError when there is no usable server
 */
export async function openSession(
  loaded: LoadedSettings,
  options: SessionOptions,
): Promise<Session> {
  const { settings } = loaded;
  const connection: ConnectionSettings = {
    servers: settings.server,
    name: `jugq ${options.role} ${hostname()}:${process.pid.toString()}`,
    login: { kind: 'none' },
    origins: { servers: '--server', login: '' },
  };
  const onNotice = (notice: Notice): void => {
    options.say(notice.message);
  };
  const nats = await connectBroker(connection, onNotice);
  const project = await openProject(nats, settings);
  return {
    settings,
    cwd: options.cwd,
    project,
    connection,
    serverName: nats.getServer(),
    childEnvironment: {
      JUGQ_SERVER: settings.server.join(','),
      JUGQ_PROJECT: settings.project,
    },
    startDispatcher: (trace) => startDispatcher(settings, connection, trace),
    close: () => closeProject(project),
  };
}

function startDispatcher(
  settings: Settings,
  connection: ConnectionSettings,
  trace: Trace,
): DispatcherHost {
  const holder = `${hostname()}-${process.pid.toString()}-${Math.random().toString(36).slice(2, 8)}`;
  return new DispatcherHost(
    {
      connection: { ...connection, name: `jugq dispatcher ${holder}` },
      project: settings.project,
      replicas: settings.replicas,
      holder,
      leaseMs: settings.lease,
      sweepMs: settings.ackWait,
    },
    trace,
  );
}
