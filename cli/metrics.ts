/**
 * `worker --metrics-port`: Prometheus metrics and a health check.
 *
 * What this worker does is counted as it happens. How the project stands (tasks by state, length of the queues) is read
 * when somebody asks, so every worker says the same of it: take the maximum over workers, not the sum.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { watchState, type ConnectionState } from '../broker/connection-state.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import { countedStates } from '../core/records.ts';
import type { TraceEvent } from '../worker/trace.ts';
import type { Session } from './session.ts';
import { readStatus } from './show-status.ts';

/** A port that answers, and what feeds it. */
export interface Metrics {
  readonly port: number;
  see(event: TraceEvent): void;
  close(): Promise<void>;
}

const durationSeconds = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000];

/**
 * Listens on the settings' port.
 *
 * @throws JugqError `SETTINGS_INVALID` if the port cannot be listened on
 */
export async function startMetrics(
  session: Session,
  listen: { readonly port: number; readonly host: string },
): Promise<Metrics> {
  const registry = new Registry();
  const connection = watchState(session.project.connection);
  const counters = taskCounters(registry);
  let trouble: string | undefined;
  addConnection(registry, connection);
  addProject(registry, session);
  collectDefaultMetrics({ register: registry });
  const server = createServer((request, response) => {
    answer(request.url ?? '/', response, {
      metrics: () => registry.metrics(),
      contentType: registry.contentType,
      health: () => ({ connected: connection.connected, trouble }),
    }).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      response.writeHead(503, { 'content-type': 'text/plain' }).end(`${text}\n`);
    });
  });
  await listening(server, listen);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : listen.port,
    see(event) {
      if (event.kind === 'trouble') trouble = event.reason;
      else if (event.kind === 'recovered') trouble = undefined;
      else counters(event);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      if (server.listening) await once(server, 'close');
      registry.clear();
    },
  };
}

/** What this worker does, by function. */
function taskCounters(registry: Registry): (event: TraceEvent) => void {
  const registers = [registry];
  const tasks = new Counter({
    name: 'jugq_worker_tasks_total',
    help: 'Attempts of this worker by function and outcome: finished, retried (failed, to be tried again), failed',
    labelNames: ['function', 'outcome'],
    registers,
  });
  const durations = new Histogram({
    name: 'jugq_worker_task_duration_seconds',
    help: 'How long tasks ran that finished here',
    labelNames: ['function'],
    buckets: durationSeconds,
    registers,
  });
  const redelivered = new Counter({
    name: 'jugq_worker_redeliveries_total',
    help: 'Parcels that this worker took and that had been delivered before',
    registers,
  });
  const dispatching = new Gauge({
    name: 'jugq_dispatcher',
    help: 'Whether this process dispatches: 1 or 0',
    registers,
  });
  return (event) => {
    switch (event.kind) {
      case 'result-stored':
        tasks.inc({ function: functionOf(event.task), outcome: 'finished' });
        durations.observe({ function: functionOf(event.task) }, event.ms / 1000);
        break;
      case 'task-failed':
        tasks.inc({
          function: functionOf(event.task),
          outcome: event.final ? 'failed' : 'retried',
        });
        break;
      case 'parcel-taken':
        if (event.deliveries > 1) redelivered.inc();
        break;
      case 'lease-acquired':
        dispatching.set(1);
        break;
      case 'lease-lost':
        dispatching.set(0);
        break;
      default:
    }
  };
}

function functionOf(task: TaskId): string {
  return splitTaskId(task).functionName;
}

function addConnection(registry: Registry, connection: ConnectionState): void {
  const registers = [registry];
  new Gauge({
    name: 'jugq_connected',
    help: 'Whether the NATS server is connected: 1 or 0',
    registers,
    collect() {
      this.set(Number(connection.connected));
    },
  });
  new Gauge({
    name: 'jugq_reconnects',
    help: 'How often the connection was lost and came back',
    registers,
    collect() {
      this.set(connection.reconnects);
    },
  });
}

/** Asked of the server at each scrape; while it is away these are left out. */
function addProject(registry: Registry, session: Session): void {
  const registers = [registry];
  const { stderr } = process;
  const question = { jugfile: undefined, args: [], run: undefined, all: false, times: false };
  const context = { stderr, interrupted: new AbortController().signal };
  new Gauge({
    name: 'jugq_tasks',
    help: "Tasks of the project's active runs, else of its newest, by function and state",
    labelNames: ['function', 'state'],
    registers,
    async collect() {
      this.reset();
      const status = await readable(() =>
        readStatus(session, { ...question, stale: false, context }),
      );
      for (const [name, counts] of Object.entries(status?.functions ?? {})) {
        for (const state of countedStates) this.set({ function: name, state }, counts[state]);
      }
    },
  });
  new Gauge({
    name: 'jugq_queue_messages',
    help: 'Messages in the work queue, waiting or with a worker, by queue',
    labelNames: ['queue'],
    registers,
    async collect() {
      this.reset();
      const messages = await readable(() => session.project.queue.list());
      // A queue that this worker takes is always there: an alert on a series that is absent is never raised.
      for (const queue of messages === undefined ? [] : session.settings.queues)
        this.set({ queue }, 0);
      for (const { queue } of messages ?? []) this.inc({ queue });
    },
  });
}

/** A server that is away must not keep the rest from being told. */
async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await Promise.race([read(), new Promise<undefined>((end) => late(end))]);
  } catch (error) {
    if (!isJugqError(error)) throw error;
    return undefined;
  }
}

/** Less than a scrape is given by default. */
const readMs = 5000;

function late(end: (nothing: undefined) => void): void {
  setTimeout(() => {
    end(undefined);
  }, readMs).unref();
}

interface Answers {
  readonly metrics: () => Promise<string>;
  readonly contentType: string;
  readonly health: () => { readonly connected: boolean; readonly trouble: string | undefined };
}

async function answer(url: string, response: ServerResponse, answers: Answers): Promise<void> {
  const [path] = url.split('?');
  if (path === '/metrics') {
    const text = await answers.metrics();
    response.writeHead(200, { 'content-type': answers.contentType }).end(text);
    return;
  }
  if (path === '/health') {
    const health = answers.health();
    response
      .writeHead(health.connected ? 200 : 503, { 'content-type': 'application/json' })
      .end(`${JSON.stringify(health)}\n`);
    return;
  }
  response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics and /health\n');
}

async function listening(
  server: Server,
  { port, host }: { readonly port: number; readonly host: string },
): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new JugqError(
      'SETTINGS_INVALID',
      `the metrics cannot be served on ${host}:${port.toString()}: ${(cause as Error).message}: name another port with --metrics-port`,
      { cause },
    );
  }
}
