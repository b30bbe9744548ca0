import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { DiscardPolicy, headers, StorageType, type MsgHdrs } from 'nats';
import { connectBroker } from '../../broker/connection.ts';
import { Publisher, type PublishOutcome } from '../../broker/publisher.ts';
import { settingsFor } from '../kit/connecting.ts';
import { eventually } from '../kit/eventually.ts';
import { idFor, openTestProject, parcelFor } from '../kit/project.ts';
import { startServer, testServers } from '../kit/servers.ts';
import { startProxy } from '../kit/tcp-proxy.ts';

const servers = await testServers();
const empty = new Uint8Array();

/** A header that makes a message safe to send twice. */
function first(): MsgHdrs {
  const all = headers();
  all.set('Nats-Expected-Last-Subject-Sequence', '0');
  return all;
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `publisher (${version}): ${claim}`;

  test(
    name('5,000 messages, SIGKILL of the server among them: each stored, each with one answer'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const count = 5000;
      const answers = Array.from({ length: count }, (): PublishOutcome[] => []);
      let answered = 0;
      let killed: Promise<void> | undefined;
      const send = (i: number): void => {
        const subject = `$KV.${project.names.results}.f.${i.toString()}`;
        project.publisher.send({ subject, payload: empty, headers: first() }, (outcome) => {
          answers[i]?.push(outcome);
          if (++answered === 500) killed = server.kill('SIGKILL');
        });
      };
      for (let i = 0; i < count / 2; i++) send(i);
      await eventually('the first answers', () => killed !== undefined);
      await killed;
      // Some were under way when the server died; these come while it is away.
      for (let i = count / 2; i < count; i++) send(i);
      await server.restart();
      await project.publisher.drained();
      t.is(project.publisher.underWay, 0);
      t.deepEqual(
        answers.filter((each) => each.length !== 1),
        [],
      );
      // One that was stored just before the server died is refused when it is sent again.
      const strange = answers
        .flat()
        .filter((each) => each.kind === 'refused' && each.code !== 10071);
      t.deepEqual(strange, []);
      // A server that has just read its store may not answer a single question in time.
      const { state } = await eventually('the stream to be told of', () =>
        project.manager.streams.info(`KV_${project.names.results}`).catch(() => undefined),
      );
      t.is(state.messages, count);
    },
  );

  test(
    name('acknowledgement lost on the way: refused by its revision or occupied, and there'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using proxy = await startProxy(server.port);
      await using direct = await openTestProject(server);
      await using project = await openTestProject(proxy);
      proxy.mute();
      const put = project.failures.put('f.a', Uint8Array.of(1), 0);
      const message = { head: idFor('f', 1), queue: 'default', payload: parcelFor('f', 1) };
      const queued = new Promise((resolve) => {
        project.queue.publish(message, resolve);
      });
      await eventually('both to be stored', async () => {
        const entry = await direct.failures.get('f.a');
        return entry !== undefined && (await direct.queue.list()).length === 1;
      });
      proxy.cut();
      t.is(await put, undefined);
      t.is(await queued, 'occupied');
      t.deepEqual((await project.failures.get('f.a'))?.value, Uint8Array.of(1));
    },
  );

  test(name('no stream for the subject yet: sent again until there is one'), async (t) => {
    await using server = await startServer({ binary: path });
    const connection = await connectBroker(settingsFor(server), () => undefined);
    const publisher = new Publisher(connection);
    const answer = publisher.publish({ subject: 'late.a', payload: empty });
    await connection.flush();
    t.is(publisher.underWay, 1);
    const manager = await connection.jetstreamManager();
    await manager.streams.add({
      name: 'late',
      subjects: ['late.>'],
      storage: StorageType.Memory,
    });
    t.deepEqual(await answer, { kind: 'stored', sequence: 1 });
    publisher.close();
    await connection.close();
  });

  test(name('refused for the moment: sent again until it is taken'), async (t) => {
    await using server = await startServer({ binary: path });
    const connection = await connectBroker(settingsFor(server), () => undefined);
    // Stands for a stream whose leader is being elected, which no server does at a wish.
    const answers = [10008, 10167, 0].map((code) =>
      code === 0 ? { stream: 's', seq: 7 } : { error: { code: 503, err_code: code } },
    );
    let asked = 0;
    connection.subscribe('moody', {
      callback: (_error, message) => message.respond(JSON.stringify(answers[asked++])),
    });
    const publisher = new Publisher(connection);
    const outcome = await publisher.publish({ subject: 'moody', payload: empty });
    t.deepEqual(outcome, { kind: 'stored', sequence: 7 });
    t.is(asked, 3);
    publisher.close();
    await connection.close();
  });

  test(name('what the server refuses for good: said with its code'), async (t) => {
    await using server = await startServer({ binary: path, config: 'max_payload: 64KB' });
    const connection = await connectBroker(settingsFor(server), () => undefined);
    const publisher = new Publisher(connection);
    const manager = await connection.jetstreamManager();
    await manager.streams.add({
      name: 'small',
      subjects: ['small.>'],
      max_msg_size: 1000,
      max_msgs: 1,
      discard: DiscardPolicy.New,
    });
    const code = async (subject: string, bytes: number, all?: MsgHdrs): Promise<number> => {
      const outcome = await publisher.publish({
        subject,
        payload: new Uint8Array(bytes),
        ...(all === undefined ? {} : { headers: all }),
      });
      return outcome.kind === 'refused' ? outcome.code : 0;
    };
    t.is(await code('small.a', 10), 0);
    t.is(await code('small.a', 10, first()), 10071, 'another revision');
    t.is(await code('small.b', 10), 10077, 'full');
    t.is(await code('small.b', 2000), 10054, 'too large for the stream');
    t.is(await code('small.b', 100_000), 10054, 'too large for the server, and not even sent');
    t.is(publisher.underWay, 0);
    publisher.close();
    await connection.close();
  });

  test(name('whoever waits for room: never more than the window under way'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const publisher = new Publisher(project.connection, 8);
    let most = 0;
    for (let i = 0; i < 200; i++) {
      await publisher.room();
      const subject = `$KV.${project.names.results}.f.${i.toString()}`;
      publisher.send({ subject, payload: empty, headers: first() }, () => undefined);
      most = Math.max(most, publisher.underWay);
    }
    t.is(most, 8);
    await publisher.drained();
    t.is(publisher.underWay, 0);
    publisher.close();
  });
}

test('publisher: closed while messages are under way: those who wait for them go on', async (t) => {
  await using server = await startServer();
  const connection = await connectBroker(settingsFor(server), () => undefined);
  const publisher = new Publisher(connection, 1);
  publisher.send({ subject: 'nobody', payload: empty }, () => {
    t.fail('there was nobody to answer');
  });
  const waiting = Promise.all([publisher.drained(), publisher.room()]);
  publisher.close();
  await waiting;
  await connection.close();
  t.pass();
});

test('publisher: an exception in the callback of an answer: ends the process, and does not leave it deaf', async (t) => {
  await using server = await startServer();
  const script = fileURLToPath(new URL('throwing-callback.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import=tsx', script, server.url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const each of [child.stdout, child.stderr])
    each.on('data', (data) => (said += String(data)));
  const [status] = (await once(child, 'close')) as [number | null];
  t.not(status, 0, said);
  t.regex(said, /thrown by a callback/);
});
