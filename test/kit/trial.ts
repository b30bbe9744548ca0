/** A project on a real server with a dispatcher and workers in this process, whose every step can be watched. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectBroker } from '../../broker/connection.ts';
import { closeProject, openProject, type OpenProject } from '../../broker/project.ts';
import { inProgress } from '../../broker/pull.ts';
import { ensureTopology } from '../../broker/topology.ts';
import { loadJugfile, type LoadedJugfile } from '../../cli/load-jugfile.ts';
import { submitRun, type Submitted } from '../../cli/submit-run.ts';
import { resultStore } from '../../worker/result-store.ts';
import { watchRun } from '../../cli/watch-run.ts';
import { decodeValue } from '../../core/codec.ts';
import { idOf } from '../../core/graph.ts';
import { parseProject, type TaskId } from '../../core/identifiers.ts';
import { decodeRecord, type FailureRecord, type RunRecord } from '../../core/records.ts';
import { Dispatcher } from '../../worker/dispatcher.ts';
import type { TraceEvent } from '../../worker/trace.ts';
import { startRunners } from '../../worker/runners.ts';
import { WorkerDaemon } from '../../worker/worker.ts';
import { startServer, type TestServer, type TestServerOptions } from './servers.ts';

/** A worker, with what it did. */
export interface TrialWorker {
  readonly daemon: WorkerDaemon;
  readonly events: readonly TraceEvent[];
  /** Ends its connections as a crash would: nothing more is sent. */
  crash(): Promise<void>;
}

/** The tasks that a worker has started, in their order. */
export function startedBy({ events }: TrialWorker): TaskId[] {
  return events.flatMap((each) => (each.kind === 'task-started' ? each.task : []));
}

export interface TrialWorkerOptions {
  readonly threads?: number;
  readonly ackWaitMs?: number;
  readonly maxTasks?: number;
  readonly queues?: readonly string[];
  /** Called in the middle of the step. */
  readonly onEvent?: (event: TraceEvent, worker: TrialWorker) => void;
}

export interface Trial extends AsyncDisposable {
  readonly server: TestServer;
  readonly project: OpenProject;
  /** What the dispatchers did. */
  readonly events: readonly TraceEvent[];
  /** Evaluates the text of a jugfile and submits it. */
  submit(jugfile: string): Promise<Submitted & { readonly loaded: LoadedJugfile }>;
  startDispatcher(): Dispatcher;
  startWorker(options?: TrialWorkerOptions): Promise<TrialWorker>;
  /** Waits for the end of a run. */
  end(submitted: Submitted): Promise<RunRecord>;
  /** Ids of the tasks of a function, in the order of declaration. */
  ids(submitted: { readonly loaded: LoadedJugfile }, functionName: string): TaskId[];
  value(id: TaskId): Promise<unknown>;
  failure(id: TaskId): Promise<FailureRecord | undefined>;
}

const leaseMs = 1000;
/** Long enough that no task is taken for lost on a busy machine, short enough to wait for. */
export const trialAckWaitMs = 2000;
const deadlineMs = 60_000;

/** Starts a server and opens a project on it. */
export async function startTrial(options: TestServerOptions = {}): Promise<Trial> {
  const server = await startServer(options);
  const directory = await mkdtemp(join(tmpdir(), 'jugq-trial-'));
  const closing: (() => Promise<unknown>)[] = [];
  const project = await open(server, 'trial');
  const events: TraceEvent[] = [];
  let files = 0;
  return {
    server,
    project,
    events,
    async submit(jugfile) {
      const path = join(directory, `jugfile-${(++files).toString()}.ts`);
      await writeFile(path, jugfile);
      const loaded = await loadJugfile(path, {
        cwd: directory,
        args: [],
        external: [],
        store: resultStore(project, 'trial'),
        onWarning: () => undefined,
        onProgress: () => undefined,
      });
      return { ...(await submitRun(project, loaded, { keepFailed: false })), loaded };
    },
    startDispatcher() {
      const dispatcher = new Dispatcher({
        project,
        holder: `trial-${Math.random().toString(36).slice(2)}`,
        leaseMs,
        sweepMs: trialAckWaitMs,
        restoreTopology: () => ensureTopology(project.manager, project.names, 1),
        trace: (event) => events.push(event),
      });
      closing.unshift(() => dispatcher.stop());
      return dispatcher;
    },
    async startWorker(wanted = {}) {
      const worker = await startWorker(server, directory, wanted);
      closing.unshift(() => worker.crash());
      return worker;
    },
    end: (submitted) =>
      watchRun(project, {
        run: submitted.record.id,
        onChange: () => undefined,
        timeoutMs: deadlineMs,
      }),
    ids: ({ loaded }, functionName) => idsOf(loaded, functionName),
    async value(id) {
      const stored = await project.results.readFromLeader(id);
      return stored?.present === true
        ? decodeValue(await project.results.valueOf(stored))
        : undefined;
    },
    async failure(id) {
      const entry = await project.failures.get(id);
      return entry?.value && decodeRecord<FailureRecord>(entry.value, id);
    },
    async [Symbol.asyncDispose]() {
      for (const close of closing) await close();
      await closeProject(project);
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function open(server: TestServer, name: string): Promise<OpenProject> {
  const connection = await connectBroker(
    { servers: [server.url], name, login: { kind: 'none' }, origins: { servers: '', login: '' } },
    () => undefined,
  );
  return openProject(connection, { project: parseProject('trial'), replicas: 1 });
}

async function startWorker(
  server: TestServer,
  directory: string,
  options: TrialWorkerOptions,
): Promise<TrialWorker> {
  const project = await open(server, 'worker');
  const events: TraceEvent[] = [];
  let crashed = false;
  const id = `worker-${Math.random().toString(36).slice(2)}`;
  const daemon = new WorkerDaemon({
    project,
    id,
    runners: startRunners(project, id, options.threads ?? 2),
    queues: options.queues ?? ['default'],
    ackWaitMs: options.ackWaitMs ?? trialAckWaitMs,
    beat: (replySubject) => {
      if (!crashed) project.connection.publish(replySubject, inProgress);
    },
    directory,
    ...(options.maxTasks === undefined ? {} : { maxTasks: options.maxTasks }),
    trace: (event) => {
      events.push(event);
      options.onEvent?.(event, worker);
    },
  });
  const worker: TrialWorker = {
    daemon,
    events,
    async crash() {
      if (crashed) return;
      crashed = true;
      project.publisher.close();
      await project.connection.close();
      await daemon.abort().catch(() => undefined);
    },
  };
  return worker;
}

function idsOf(loaded: LoadedJugfile, functionName: string): TaskId[] {
  const { graph } = loaded;
  const fn = graph.functions.findIndex((each) => each.name === functionName);
  const ids: TaskId[] = [];
  for (let task = 0; task < graph.count; task++) {
    if (graph.functionOf[task] === fn) ids.push(idOf(graph, task));
  }
  return ids;
}
