/**
 * pg-boss on PostgreSQL, as its documentation recommends for throughput: jobs inserted and taken in batches, workers
 * woken by the server.
 *
 * Its own flows look for what has become ready every so often and not at once, so that a chain would take half a second
 * a hop; therefore dependencies are done by hand, with a table of how many results each job is still missing.
 */
import { execFile } from 'node:child_process';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runCommand } from '../../../broker/server-command.ts';
import { freePorts } from '../../kit/server-process.ts';
import { expectEqual } from '../workload.ts';
import { pgBossQueue, startPgBoss, type PgBoss } from './pg-boss-api.ts';
import type { PgBossWorkerSettings } from './pg-boss-worker.ts';
import { installPackages } from './peer-packages.ts';
import {
  openDirectory,
  startPeerServer,
  startPeerWorkers,
  waitUntil,
  type Owner,
  type Running,
} from './peer-processes.ts';
import { checkValues, figureOf, tasksOf, type Peer, type PeerWork } from './peer-work.ts';

const versions = ['pg-boss@12.38.0'];
const batch = 500;
/** Of jobs that sleep: fewer, so that two workers share them. */
const sleepingBatch = 10;
const bulk = 10_000;
const commandMs = 60_000;

/** The peer. */
export const pgBoss: Peer = {
  name: 'pg-boss',
  async prepare() {
    if ((await postgresPrograms()) === undefined) {
      return 'there is no PostgreSQL here: apt-get install postgresql';
    }
    await installPackages(versions);
    return undefined;
  },
  async measure(work) {
    // It keeps no results by what was asked for.
    if (work.shape === 'again') return undefined;
    const packages = await installPackages(versions);
    const [port = 0] = await freePorts(1);
    const owner = await postgresUser();
    await using directory = await openDirectory(owner);
    await using _server = await startPostgres(port, directory.path, owner);
    const url = `postgres://bench@127.0.0.1:${port}/postgres`;
    const boss = await startPgBoss(packages, url);
    await boss.createQueue(pgBossQueue, { notify: true });
    await boss
      .getDb()
      .executeSql(
        'create table bench_open (id int primary key, missing int, value bigint, parent int)',
      );
    await using _workers = await startPeerWorkers('pg-boss-worker.ts', work.workers, {
      packages,
      url,
      batch: work.ms > 0 ? sleepingBatch : batch,
      ms: work.ms,
    } satisfies PgBossWorkerSettings);
    try {
      return await carryOut(boss, work);
    } finally {
      await boss.stop({ graceful: false });
    }
  },
};

async function carryOut(boss: PgBoss, work: PeerWork): Promise<number> {
  const startedAt = Date.now();
  await addAll(boss, work);
  const addedAt = Date.now();
  const done = async (state: string): Promise<number> => {
    const text = 'select count(*)::int as jobs from pgboss.job where name = $1 and state = $2';
    const { rows } = await boss
      .getDb()
      .executeSql<{ readonly jobs: number }>(text, [pgBossQueue, state]);
    return rows[0]?.jobs ?? 0;
  };
  if (work.shape === 'intake') {
    expectEqual('how many jobs wait', await done('created'), work.tasks);
    return (addedAt - startedAt) / 1000;
  }
  await waitUntil('the last job', async () => (await done('completed')) === work.tasks);
  const { rows } = await boss.getDb().executeSql<{ readonly value: number; readonly at: number }>(
    `select (output->>'value')::int as value, extract(epoch from completed_on)::float8 * 1000 as at
     from pgboss.job where name = $1`,
    [pgBossQueue],
  );
  checkValues(
    work,
    rows.map(({ value }) => value),
  );
  return figureOf(
    work,
    startedAt,
    rows.map(({ at }) => at),
  );
}

/** Those that take nothing become jobs, the others lines in the table of what is open; a chain is one job at a time. */
async function addAll(boss: PgBoss, work: PeerWork): Promise<void> {
  const tasks = tasksOf(work);
  if (work.shape === 'chain') {
    await boss.insert(pgBossQueue, [
      { data: { id: 1, value: 1, parent: 0, hops: work.tasks - 1 } },
    ]);
    return;
  }
  const missing = new Map<number, number>();
  for (const { parent } of tasks) missing.set(parent, (missing.get(parent) ?? 0) + 1);
  const open = tasks.filter(({ id }) => missing.has(id));
  if (open.length > 0) {
    await boss
      .getDb()
      .executeSql(
        'insert into bench_open select * from unnest($1::int[], $2::int[], $3::bigint[], $4::int[])',
        [
          open.map(({ id }) => id),
          open.map(({ id }) => missing.get(id) ?? 0),
          open.map(({ own }) => own),
          open.map(({ parent }) => parent),
        ],
      );
  }
  const ready = tasks.filter(({ id }) => !missing.has(id));
  for (let at = 0; at < ready.length; at += bulk) {
    await boss.insert(
      pgBossQueue,
      ready
        .slice(at, at + bulk)
        .map(({ id, own, parent }) => ({ data: { id, value: own, parent, hops: 0 } })),
    );
  }
}

async function startPostgres(port: number, directory: string, owner?: Owner): Promise<Running> {
  const programs = (await postgresPrograms()) ?? '';
  const store = join(directory, 'store');
  const first = ['--auth=trust', '--username=bench', '--no-sync', '--pgdata', store];
  await promisify(execFile)(join(programs, 'initdb'), first, {
    cwd: directory,
    timeout: commandMs,
    ...owner,
  });
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories='];
  const args = ['-D', store, '-p', port.toString(), ...settings.flatMap((each) => ['-c', each])];
  const where = ['-h', '127.0.0.1', '-p', port.toString(), '-U', 'bench'];
  const answers = () =>
    runCommand(join(programs, 'pg_isready'), where, { timeoutMs: commandMs }).then(
      () => true,
      () => false,
    );
  const command = join(programs, 'postgres');
  // What it calls an immediate shutdown: its own processes and shared memory go with it.
  return startPeerServer({ command, args, owner, cwd: directory, signal: 'SIGQUIT', answers });
}

/** Where Debian has the newest PostgreSQL; its programs are not on the PATH. */
async function postgresPrograms(): Promise<string | undefined> {
  const root = '/usr/lib/postgresql';
  const versionsHere = await readdir(root).catch(() => []);
  for (const version of versionsHere.sort((a, b) => Number(b) - Number(a))) {
    const programs = join(root, version, 'bin');
    const isThere = await access(join(programs, 'initdb')).then(
      () => true,
      () => false,
    );
    if (isThere) return programs;
  }
  return undefined;
}

/** It refuses to be root. */
async function postgresUser(): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: string): Promise<number> =>
    Number((await runCommand('id', [flag, 'postgres'], { timeoutMs: commandMs })).stdout);
  return { uid: await idOf('-u'), gid: await idOf('-g') };
}
