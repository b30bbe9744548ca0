/** From settings to an open project: on the server that is named, or on the private one of this directory. */
import { hostname } from 'node:os';
import { connectBroker, type ConnectionSettings, type Notice } from '../broker/connection.ts';
import { isLeased } from '../broker/lease.ts';
import { ensurePrivateServer, privateDirectory, stillThere } from '../broker/private-server.ts';
import { closeProject, openProject, type OpenProject } from '../broker/project.ts';
import { withoutLogin } from '../broker/server-url.ts';
import { ensureTopology } from '../broker/topology.ts';
import { DispatcherHost } from '../worker/dispatcher-host.ts';
import type { ResultStore } from '../worker/evaluate.ts';
import { resultStore } from '../worker/result-store.ts';
import type { Trace } from '../worker/trace.ts';
import type { LoadedSettings, Settings } from './settings.ts';
import { startReplanner } from './replan-run.ts';
import { environmentName, type SettingKey } from './settings-table.ts';

export interface Session {
  readonly settings: Settings;
  readonly cwd: string;
  readonly project: OpenProject;
  /** For connections of threads and of heartbeats. */
  readonly connection: ConnectionSettings;
  /** The server, for people. */
  readonly serverName: string;
  /** What makes a child process find the same server and project. */
  readonly childEnvironment: Readonly<Record<string, string | undefined>>;
  /** What evaluations of jugfiles may ask of the stored results. */
  readonly store: ResultStore;
  /** Makes streams and buckets that have gone. */
  restore(): Promise<void>;
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
  const name = `jugq ${options.role} ${hostname()}:${process.pid.toString()}`;
  const onNotice = (notice: Notice): void => {
    options.say(notice.message);
  };
  const { connection, nats, shipsFiles } =
    settings.connection.servers.length > 0
      ? await connectNamed({ ...settings.connection, name }, onNotice)
      : await connectPrivate(name, options, onNotice);
  const project = await openProject(nats, {
    ...settings,
    onUnreadable: options.say,
    onLost: () => {
      options.say(`the server came back without what it had: ${lostStore}`);
    },
  });
  const session: Session = {
    settings,
    cwd: options.cwd,
    project,
    connection,
    serverName: nats.getServer(),
    childEnvironment: childEnvironment(settings),
    store: resultStore(project, `planner-${hostname()}-${process.pid.toString()}`, shipsFiles),
    restore: () => ensureTopology(project.manager, project.names, settings.replicas),
    startDispatcher: (trace) => startDispatcher(session, trace),
    close: () => closeProject(project),
  };
  return session;
}

/** What to do when all that was stored is gone. */
export const lostStore =
  'runs and results are gone: plan the jugfiles again, which is always safe (a plan that waits does so by itself)';

interface Connected {
  readonly connection: ConnectionSettings;
  readonly nats: Awaited<ReturnType<typeof connectBroker>>;
  /** Workers of a server that listens to this machine alone have the files of this machine. */
  readonly shipsFiles: boolean;
}

async function connectNamed(
  connection: ConnectionSettings,
  onNotice: (notice: Notice) => void,
): Promise<Connected> {
  return { connection, nats: await connectBroker(connection, onNotice), shipsFiles: true };
}

/** A private server may end in the moment in which we come: then another one is started. */
async function connectPrivate(
  name: string,
  options: SessionOptions,
  onNotice: (notice: Notice) => void,
): Promise<Connected> {
  const directory = privateDirectory(options.cwd);
  for (;;) {
    const server = await ensurePrivateServer({ directory, report: options.say });
    const connection: ConnectionSettings = {
      servers: [server.url],
      name,
      login: { kind: 'token', token: server.token },
      origins: { servers: directory, login: directory },
    };
    try {
      const connected = await connectNamed(connection, onNotice);
      if (await stillThere(server))
        return { ...connected, shipsFiles: !isLoopback(server.listenHost) };
      await connected.nats.close();
    } catch (error) {
      if (await stillThere(server)) throw error;
    }
  }
}

/** The server, login and project in use, as a child process finds them; what lost against them is taken away. */
function childEnvironment(settings: Settings): Record<string, string | undefined> {
  const { login, servers, tls } = settings.connection;
  const used: Partial<Record<SettingKey, string | undefined>> = {
    context: undefined,
    creds: login.kind === 'creds' ? login.file : undefined,
    nkey: login.kind === 'nkey' ? login.file : login.kind === 'seed' ? login.seed : undefined,
    token: login.kind === 'token' ? login.token : undefined,
    user: login.kind === 'user' ? login.user : undefined,
    password: login.kind === 'user' ? login.password : undefined,
    tlsCa: tls?.ca,
    tlsCert: tls?.cert,
    tlsKey: tls?.key,
    tlsFirst: tls?.first === true ? 'true' : undefined,
    // A login that stands in an address has been taken from there, or has lost against another.
    server: servers.length === 0 ? undefined : servers.map(withoutLogin).join(','),
    project: settings.project,
  };
  return Object.fromEntries(
    Object.entries(used).map(([key, value]) => [environmentName(key as SettingKey), value]),
  );
}

/**
 * Whoever dispatches also plans on what is parked and has no planner any more.
 *
 * Where somebody holds the lease, the candidate comes a moment later: its start takes processor time from the tasks that
 * this very command may have made ready, and most commands are over by then.
 */
function startDispatcher(session: Session, trace: Trace): { stop(): Promise<void> } {
  const { settings, connection, project } = session;
  const replanner = startReplanner(session, trace);
  const holder = `${hostname()}-${process.pid.toString()}-${Math.random().toString(36).slice(2, 8)}`;
  let host: DispatcherHost | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const start = (): void => {
    if (stopped) return;
    host = new DispatcherHost(
      {
        connection: { ...connection, name: `jugq dispatcher ${holder}` },
        project: settings.project,
        replicas: settings.replicas,
        holder,
        leaseMs: settings.lease,
        sweepMs: settings.ackWait,
      },
      (event) => {
        replanner.see(event);
        trace(event);
      },
    );
  };
  isLeased(project.leases).then((leased) => {
    if (!leased) start();
    else if (!stopped) timer = setTimeout(start, standByMs);
  }, start);
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await replanner.stop();
      await host?.stop();
    },
  };
}

const standByMs = 1000;

function isLoopback(address: string): boolean {
  return ['127.0.0.1', '::1', 'localhost'].includes(address);
}
