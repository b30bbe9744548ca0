/**
 * One storm: a made-up graph on real servers with real processes, which are struck again and again, and the verdict.
 *
 * Everything that chance decides comes from the seed, but not the moment in which a blow falls: a seed tells what was
 * done and how a failure looked, and usually brings it back, not always.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import { connectBroker } from '../../broker/connection.ts';
import { closeProject, openProject, type OpenProject } from '../../broker/project.ts';
import { parseProject, type TaskId } from '../../core/identifiers.ts';
import { userDirectory, type UserDirectory } from '../kit/cli.ts';
import { settingsFor } from '../kit/connecting.ts';
import { knotsOf, startRandom, type Shape } from '../jugfiles/storm/shapes.ts';
import { pickBlow, type Battlefield } from './blows.ts';
import { startCast, type Cast } from './cast.ts';
import { readExecutions, recoveries, StormRecord } from './record.ts';
import { startUnderFire, type ServersUnderFire } from './servers-under-fire.ts';
import { expectedDigests, hashOf, judge } from './verdict.ts';

export interface StormOptions {
  readonly seed: number;
  readonly shape: Shape;
  readonly tasks: number;
  /** How many blows fall, if the run lasts long enough. */
  readonly blows: number;
  /** Average time between two, ms. */
  readonly everyMs: number;
  /** Path of a nats-server. */
  readonly binary: string;
  readonly size: 1 | 3;
  /** Part of the names of the blows that may fall; default: all may. */
  readonly only?: string;
  readonly threads: number;
  readonly ackWaitMs: number;
  readonly leaseMs: number;
}

export interface StormReport {
  readonly wrongs: readonly string[];
  readonly story: readonly string[];
  readonly blows: number;
  readonly executions: number;
  readonly hash: string;
  readonly ms: number;
  /** Milliseconds from each kill until others took over. */
  readonly recovered: { readonly work: readonly number[]; readonly lease: readonly number[] };
}

const projectName = 'storm';
/** Nothing has come of it for so long, though nobody strikes any more: it hangs. */
const hangMs = 60_000;

/** Runs one storm to its end. */
export async function runStorm(options: StormOptions): Promise<StormReport> {
  const startedAt = performance.now();
  const story: string[] = [];
  const note = (text: string): void => {
    const at = ((performance.now() - startedAt) / 1000).toFixed(2);
    story.push(`${at.padStart(7)} s  ${text}`);
  };
  const { binary, size, seed, shape, tasks } = options;
  await using servers = await startUnderFire(binary, size);
  await using user = await stormDirectory(options, servers);
  const project = await openStormProject(servers);
  try {
    const planArguments = ['jugfile.ts', shape, seed.toString(), tasks.toString()];
    const ids = await idsOf(user, planArguments);
    await using cast = await startCast({
      user,
      planArguments,
      ports: servers.servers.map((each) => each.port),
      workers: 3,
      threads: options.threads,
      note,
    });
    const storm = { options, servers, user, project, cast, note, ids };
    const record = new StormRecord(project);
    const struck = await weather(storm, record);
    const wrongs = struck.hang === undefined ? [] : [struck.hang];
    const knots = knotsOf(shape, seed, tasks);
    const expected = expectedDigests(knots, ids);
    if (wrongs.length === 0) wrongs.push(...(await judge(project, record, expected)));
    if (struck.status !== 0) wrongs.push(`the planner ended with ${String(struck.status)}`);
    record.stop();
    cast.rest();
    const ran = await readExecutions(user.path);
    return {
      wrongs,
      story,
      blows: struck.blows,
      executions: ran.length,
      hash: hashOf(expected),
      ms: performance.now() - startedAt,
      recovered: recoveries(record, ran, ids, knots),
    };
  } finally {
    await closeProject(project);
  }
}

interface Storm {
  readonly options: StormOptions;
  readonly servers: ServersUnderFire;
  readonly user: UserDirectory;
  readonly project: OpenProject;
  readonly cast: Cast;
  readonly note: (text: string) => void;
  readonly ids: readonly TaskId[];
}

/** Strikes until the planner is done; then, or when nothing comes of it any more, tells how it stands. */
async function weather(
  storm: Storm,
  record: StormRecord,
): Promise<{ blows: number; status: number | undefined; hang: string | undefined }> {
  const { options, cast, note } = storm;
  const random = startRandom(options.seed);
  const over = new AbortController();
  let status: number | undefined;
  void cast.planned.then((ended) => {
    status = ended;
    note(`the planner is done: ${ended}`);
    over.abort();
  });
  const field: Battlefield = {
    ...storm,
    random,
    ackWaitMs: options.ackWaitMs,
    killed: (pid, held) => record.losses.push({ at: Date.now(), pid, held }),
    emptied: () => record.forget(),
  };
  let blows = 0;
  while (blows < options.blows && !over.signal.aborted) {
    await delay(2 * random() * options.everyMs, undefined, { signal: over.signal }).catch(
      () => undefined,
    );
    if (isOver(over.signal)) break;
    blows++;
    const blow = pickBlow(random, options.size, options.only ?? '');
    await blow.strike(field).catch((error: unknown) => {
      note(`${blow.name}: it could not be done: ${String(error)}`);
    });
  }
  note(`${blows} blows have fallen`);
  const hang = await watch(storm, record, over.signal);
  return { blows, status, hang };
}

/** Asked again after a wait: the signal may have come meanwhile. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Waits for the end as long as results come; undefined when it has come. */
async function watch(
  storm: Storm,
  record: StormRecord,
  over: AbortSignal,
): Promise<string | undefined> {
  let seen = record.changes;
  while (!over.aborted) {
    await delay(hangMs, undefined, { signal: over }).catch(() => undefined);
    if (isOver(over)) return undefined;
    if (record.changes === seen) return describeHang(storm, record);
    seen = record.changes;
  }
  return undefined;
}

/** Who waits, and for what. */
async function describeHang(storm: Storm, record: StormRecord): Promise<string> {
  const { project, user, ids, cast } = storm;
  const present = [...record.last.values()].filter((each) => each.present).length;
  const queued = await project.queue.list().catch(() => []);
  const consumer = await project.manager.consumers
    .info(project.names.tasks, 'queue-default')
    .catch(() => undefined);
  const failures = await project.failures.list().catch(() => []);
  const { stdout } = await user.run('status', '--json');
  const parts = cast
    .all()
    .map((each) => `${each.name} (${each.pid}) said: ${each.process.output().slice(-1500)}`);
  return [
    `nothing has come for ${hangMs} ms: ${present} of ${ids.length} results are there`,
    `queued: ${queued.map((each) => each.head).join(', ')}`,
    `consumer: ${JSON.stringify({ pending: consumer?.num_pending, acks: consumer?.num_ack_pending, waiting: consumer?.num_waiting })}`,
    `failures: ${failures.map((each) => new TextDecoder().decode(each.value)).join('; ')}`,
    `status: ${stdout}`,
    ...parts,
  ].join('\n');
}

async function stormDirectory(
  options: StormOptions,
  servers: ServersUnderFire,
): Promise<UserDirectory> {
  const files = await Promise.all(
    ['jugfile.ts', 'shapes.ts'].map(async (name) => [
      name,
      await readFile(new URL(`../jugfiles/storm/${name}`, import.meta.url), 'utf8'),
    ]),
  );
  return userDirectory(Object.fromEntries(files) as Record<string, string>, {
    JUGQ_PROJECT: projectName,
    JUGQ_ACK_WAIT: `${options.ackWaitMs}ms`,
    JUGQ_LEASE: `${options.leaseMs}ms`,
    JUGQ_REPLICAS: servers.replicas.toString(),
    NATS_URL: servers.servers.map((each) => each.url).join(','),
  });
}

/** A project whose results keep their history, so that a second one of a task could not hide. */
async function openStormProject(servers: ServersUnderFire): Promise<OpenProject> {
  const [first, ...others] = servers.servers.map((each) => each.url);
  const settings = settingsFor(first ?? '', {
    servers: [first ?? '', ...others],
    name: 'jugq judge',
  });
  const connection = await connectBroker(settings, () => undefined);
  const { replicas } = servers;
  const project = await openProject(connection, { project: parseProject(projectName), replicas });
  const stream = `KV_${project.names.results}`;
  await project.manager.streams.update(stream, { max_msgs_per_subject: 64 });
  return project;
}

/** In the order of declaration. */
async function idsOf(user: UserDirectory, planArguments: readonly string[]): Promise<TaskId[]> {
  const planned = await user.json<{ tasks: { task: TaskId }[] }>(
    'plan',
    '--dry-run',
    '--json',
    ...planArguments,
  );
  return planned.tasks.map((each) => each.task);
}
