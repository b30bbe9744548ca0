/** Limits of the server and of the link, met in the middle of a run: it waits, says why, and goes on when it can. */
import test from 'ava';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { connectBroker } from '../../broker/connection.ts';
import { Puller } from '../../broker/pull.ts';
import { encodeRecord, recordFormat, type WorkerRecord } from '../../core/records.ts';
import { settingsFor } from '../kit/connecting.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { idFor, openTestProject, parcelFor } from '../kit/project.ts';
import { startServer, type TestServer } from '../kit/servers.ts';
import { startProxy } from '../kit/tcp-proxy.ts';
import { statusOf } from './looks.ts';

/** Sixty tasks of a moment each, and their sum. */
const many = `
  import { appendFileSync } from 'node:fs';
  import { setTimeout as delay } from 'node:timers/promises';
  import { task } from 'jugq';
  const slow = task(async function slow(x: number): Promise<{ x: number; filler: string }> {
    appendFileSync('ran.log', 'slow ' + x + '\\n');
    await delay(50);
    return { x, filler: 'f'.repeat(20_000) };
  });
  const sum = task(function sum(all: { x: number }[]): number {
    return all.reduce((total, each) => total + each.x, 0);
  });
  export const total = sum(Array.from({ length: 60 }, (_, x) => slow(x)));`;

/** Writes other lines at the end of a server's configuration, and has it read them. */
async function reconfigure(server: TestServer, from: string, to: string): Promise<void> {
  const file = join(dirname(server.storeDir), 'server.conf');
  const text = await readFile(file, 'utf8');
  if (!text.includes(from)) throw new Error(`the configuration has no ${from}`);
  await writeFile(
    file,
    text.replace(from, () => to),
  );
  await server.kill('SIGHUP');
}

test.serial(
  'the right to tell what was stored is missing, and the login stands in the address: said once, and the run goes through',
  async (t) => {
    const rights = 'permissions: { publish: { deny: "jugq.mute.stored" }, subscribe: ">" }';
    const config = `authorization { users: [{ user: u, password: p, ${rights} }] }`;
    await using server = await startServer({ config });
    await using user = await projectOn(server, 'stages', {
      JUGQ_SERVER: server.url.replace('nats://', 'nats://u:p@'),
      JUGQ_PROJECT: 'mute',
    });
    const { status, stderr } = await user.run('run', 'jugfile.ts');
    t.is(status, 0, stderr);
    t.regex(stderr, /32 tasks: 32 executed/);
    const complaints = stderr.match(/does not allow a publish of jugq\.mute\.stored/g) ?? [];
    // Of the worker, and of the planner that may put something itself.
    t.true(complaints.length >= 1 && complaints.length <= 2, stderr);
  },
);

test.serial(
  'the right to write results is taken away and given back: said, and the run goes on with it',
  async (t) => {
    const allowed = 'permissions: { publish: ">", subscribe: ">" }';
    const denied =
      'permissions: { publish: { deny: "$KV.jugq-rights-results.>" }, subscribe: ">" }';
    const config = `authorization { users: [{ user: u, password: p, ${allowed} }] }`;
    await using server = await startServer({ config });
    const url = server.url.replace('nats://', 'nats://u:p@');
    await using user = await projectOn(server, 'gated', {
      NATS_URL: url,
      JUGQ_PROJECT: 'rights',
    });
    const run = user.start('plan', '--wait', 'jugfile.ts');
    const worker = user.start('worker', '-j2');
    await eventually('two to run', async () => (await executions(user)).length === 2);
    await reconfigure(server, allowed, denied);
    await user.write('open', '');
    await worker.printed('does not allow a publish of $KV.jugq-rights-results.');
    await reconfigure(server, denied, allowed);
    t.is((await run.finished).status, 0, run.output());
    t.is(worker.process.exitCode, null);
  },
);

test.serial(
  'a slow consumer that the server cuts off: comes back, and nothing is lost',
  async (t) => {
    await using server = await startServer({ config: 'write_deadline: "300ms"\nmax_pending: 1MB' });
    await using user = await projectOn(server, 'stages');
    await using proxy = await startProxy(server.port);
    await user.write('jugfile.ts', many);
    const run = user.start('plan', '--wait', 'jugfile.ts');
    const worker = user.startWith({ NATS_URL: `127.0.0.1:${proxy.port}` }, 'worker', '-j2');
    await eventually('some to run', async () => (await executions(user)).length > 5);
    proxy.stall();
    user.start('worker', '-j2');
    await eventually('others to run', async () => (await executions(user)).length > 15);
    proxy.resume();
    t.is((await run.finished).status, 0);
    t.is(worker.process.exitCode, null);
  },
);

test.serial('a server with small messages: refused at once, with what to raise', async (t) => {
  await using server = await startServer({ config: 'max_payload: 65536' });
  await using user = await projectOn(server, 'stages');
  const { status, stderr } = await user.run('plan', 'jugfile.ts');
  t.is(status, 3);
  t.regex(stderr, /max_payload .*65536.*: raise/);
});

test.serial('two hundred workers: each takes its share, and status lists them all', async (t) => {
  await using server = await startServer();
  await using user = await projectOn(server, 'stages', { JUGQ_PROJECT: 'test' });
  await using project = await openTestProject(server);
  const workers = 200;
  const messages = 2000;
  let done = 0;
  const takers = new Set<number>();
  const connections = await Promise.all(
    Array.from({ length: workers }, () => connectBroker(settingsFor(server), () => undefined)),
  );
  const pullers = await Promise.all(
    connections.map(async (connection, at) => {
      const manager = await connection.jetstreamManager({ checkAPI: false });
      const puller = new Puller(connection, manager, project.names, {
        queue: 'default',
        ackWaitMs: 30_000,
        onDelivery: (delivery) => {
          takers.add(at);
          done++;
          delivery.ack();
          puller.setRoom(1);
        },
        onTrouble: () => undefined,
      });
      puller.setRoom(1);
      const record: WorkerRecord = {
        ...{ format: recordFormat, id: `light-${at}`, host: 'h', pid: at, threads: 1 },
        ...{ queues: ['default'], startedAt: new Date().toISOString(), running: {} },
      };
      await project.workers.put(record.id, encodeRecord(record));
      return puller;
    }),
  );
  for (let n = 0; n < messages; n++) {
    const message = { head: idFor('light', n), queue: 'default', payload: parcelFor('light', n) };
    project.queue.publish(message, () => undefined);
  }
  await eventually('all to be taken', () => done === messages);
  await eventually('the queue to be empty', async () => (await project.queue.list()).length === 0);
  t.true(takers.size > workers / 2, `${takers.size} of them had something to do`);
  t.is((await statusOf(user)).workers.length, workers);
  for (const puller of pullers) puller.stop();
  await Promise.all(connections.map((each) => each.close()));
});
