import test from 'ava';
import { createInbox, nanos, type ConsumerInfo } from 'nats';
import type { Delivery } from '../../broker/pull.ts';
import { ensureTopology } from '../../broker/topology.ts';
import { eventually } from '../kit/eventually.ts';
import { queue, startHands, type Hands } from '../kit/hands.ts';
import { idFor, openTestProject, parcelFor, type TestProject } from '../kit/project.ts';
import { startServer, testServers } from '../kit/servers.ts';
import { startProxy } from '../kit/tcp-proxy.ts';

const servers = await testServers();
const consumer = 'queue-default';
const shortMs = 1000;

async function publish(project: TestProject, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    const message = { head: idFor('f', n), queue, payload: parcelFor('f', n) };
    project.queue.publish(message, () => undefined);
  }
  await project.publisher.drained();
}

async function infoOf(project: TestProject): Promise<ConsumerInfo> {
  return project.manager.consumers.info(project.names.tasks, consumer);
}

async function emptied(project: TestProject): Promise<void> {
  await eventually('an empty queue', async () => {
    const { state } = await project.manager.streams.info(project.names.tasks);
    return state.messages === 0;
  });
}

/** Acks whatever comes. */
function ackAtOnce(hands: Hands): void {
  hands.ackAll();
}

function numbersOf(deliveries: readonly Delivery[]): number[] {
  const known = Array.from({ length: 100 }, (_, n) => Buffer.from(parcelFor('f', n)));
  return deliveries.map((each) => known.findIndex((parcel) => parcel.equals(each.data)));
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `pull (${version}): ${claim}`;

  test(name('asked for 5 of 20, then for 3 more: 5 come, then 3'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await publish(project, 1, 20);
    const hands = startHands(project, 5);
    await eventually('five', () => hands.seen.length >= 5);
    t.like(await infoOf(project), { num_ack_pending: 5, num_pending: 15 });
    hands.setCapacity(8);
    await eventually('three more', () => hands.seen.length >= 8);
    t.like(await infoOf(project), { num_ack_pending: 8, num_pending: 12 });
    t.deepEqual(numbersOf(hands.seen), [1, 2, 3, 4, 5, 6, 7, 8]);
    hands.puller.stop();
  });

  test(name('no room any more: nothing is asked for; room again: it goes on'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await publish(project, 1, 4);
    const hands = startHands(project, 4);
    await eventually('four', () => hands.seen.length === 4);
    hands.setCapacity(0);
    hands.ackAll();
    await emptied(project);
    await publish(project, 5, 9);
    t.like(await infoOf(project), { num_ack_pending: 0, num_pending: 5, num_waiting: 0 });
    hands.setCapacity(5);
    await eventually('the rest', () => hands.seen.length === 9);
    hands.puller.stop();
  });

  test(name('consumer deleted by hand: made again, and what comes is delivered'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const hands = startHands(project, 2, { onDelivery: ackAtOnce });
    await publish(project, 1, 1);
    await eventually('the first', () => hands.seen.length === 1);
    await project.manager.consumers.delete(project.names.tasks, consumer);
    await publish(project, 2, 2);
    await eventually('the second', () => numbersOf(hands.seen).includes(2));
    t.is((await infoOf(project)).config.max_ack_pending, -1);
    hands.puller.stop();
  });

  test(name('SIGKILL and restart of the server: what is queued is delivered'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const hands = startHands(project, 100);
    await publish(project, 1, 10);
    await eventually('the first', () => hands.seen.length === 10);
    hands.ackAll();
    await project.connection.flush();
    await server.kill('SIGKILL');
    await server.restart();
    await publish(project, 11, 20);
    const wanted = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
    await eventually('the others', () => {
      const seen = new Set(numbersOf(hands.seen));
      return wanted.every((each) => seen.has(each));
    });
    hands.ackAll();
    t.pass();
    hands.puller.stop();
  });

  test(name('stream deleted and made again: says so, and goes on'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const hands = startHands(project, 2, { onDelivery: ackAtOnce });
    await publish(project, 1, 1);
    await eventually('the first', () => hands.seen.length === 1);
    await project.manager.streams.delete(project.names.tasks);
    await eventually('the word', () => hands.troubles.some((each) => each !== undefined));
    t.regex(
      String(hands.troubles.find((each) => each !== undefined)),
      /taking from the queue default/,
    );
    await ensureTopology(project.manager, project.names, 1);
    await eventually('the end of the trouble', () => hands.troubles.at(-1) === undefined);
    await publish(project, 2, 2);
    await eventually('the second', () => numbersOf(hands.seen).includes(2));
    hands.puller.stop();
  });

  test(name('connection cut: goes on as soon as it is back'), async (t) => {
    await using server = await startServer({ binary: path });
    await using proxy = await startProxy(server.port);
    await using direct = await openTestProject(server);
    await using project = await openTestProject(proxy);
    const hands = startHands(project, 3, { onDelivery: ackAtOnce });
    await publish(direct, 1, 1);
    await eventually('the first', () => hands.seen.length === 1);
    await eventually('its next request', async () => (await infoOf(direct)).num_waiting > 0);
    proxy.cut();
    await eventually('the connection', () =>
      project.connection.flush().then(
        () => true,
        () => false,
      ),
    );
    // The server may take the requests from before the cut for good: what it sends for them counts, too.
    await publish(direct, 2, 30);
    await eventually('the others', () => hands.seen.length === 30);
    t.deepEqual(new Set(hands.seen.map((each) => each.deliveries)), new Set([1]));
    await emptied(direct);
    hands.puller.stop();
  });

  test(
    name('connection cut while messages come: what was lost with it comes by the ack wait'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using proxy = await startProxy(server.port);
      await using direct = await openTestProject(server);
      await using project = await openTestProject(proxy);
      const hands = startHands(project, 3, { onDelivery: ackAtOnce, ackWaitMs: shortMs });
      await publish(direct, 1, 1);
      await eventually('the first', () => hands.seen.length === 1);
      proxy.cut();
      await publish(direct, 2, 30);
      await emptied(direct);
      t.is(new Set(numbersOf(hands.seen)).size, 30);
      hands.puller.stop();
    },
  );

  test(
    name('connection that went silent: noticed, and what was sent into it comes again'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using proxy = await startProxy(server.port);
      await using direct = await openTestProject(server);
      await using project = await openTestProject(proxy);
      const hands = startHands(project, 3, { onDelivery: ackAtOnce, ackWaitMs: shortMs });
      await publish(direct, 1, 1);
      await eventually('the first', () => hands.seen.length === 1);
      hands.ackAll();
      await project.connection.flush();
      proxy.mute();
      await publish(direct, 2, 3);
      await eventually('the others', () => {
        const seen = new Set(numbersOf(hands.seen));
        return seen.has(2) && seen.has(3);
      });
      t.true(hands.seen.slice(1).some((each) => each.deliveries > 1));
      hands.puller.stop();
    },
  );

  test(name('handed back at once: comes again at once, and counts'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const hands = startHands(project, 1, {
      onDelivery: ({ held, puller }) => {
        if (held[0]?.deliveries === 3) return;
        held.splice(0)[0]?.handBack(0);
        puller.setRoom(1);
      },
    });
    await publish(project, 1, 1);
    await eventually('the third delivery', () => hands.held.length === 1);
    t.deepEqual(
      hands.seen.map((each) => each.deliveries),
      [1, 2, 3],
    );
    hands.puller.stop();
  });

  test(name('handed back with a delay: what was queued later comes first'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await publish(project, 1, 1);
    const hands = startHands(project, 1, {
      onDelivery: ({ held, seen, ackAll }) => {
        if (seen.length === 1) held.splice(0)[0]?.handBack(1500);
        else ackAll();
      },
    });
    await eventually('the first', () => hands.seen.length === 1);
    await publish(project, 2, 3);
    hands.setCapacity(1);
    await emptied(project);
    t.deepEqual(numbersOf(hands.seen), [1, 2, 3, 1]);
    t.is(hands.seen[3]?.deliveries, 2);
    hands.puller.stop();
  });

  test(
    name('neither acked nor handed back: comes again after the ack wait, to whoever asks'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using first = await openTestProject(server);
      await using second = await openTestProject(server);
      await publish(first, 1, 1);
      const silent = startHands(first, 1, { ackWaitMs: shortMs });
      await eventually('the delivery', () => silent.held.length === 1);
      const other = startHands(second, 1, { ackWaitMs: shortMs });
      await eventually('the redelivery', () => other.held.length === 1);
      t.is(other.held[0]?.deliveries, 2);
      silent.puller.stop();
      other.puller.stop();
    },
  );

  test(name('two who share 200 messages: both get many'), async (t) => {
    await using server = await startServer({ binary: path });
    await using first = await openTestProject(server);
    await using second = await openTestProject(server);
    // A trip to the server and back is the time that a task takes.
    const work = (project: TestProject) => (hands: Hands) => {
      void project.connection.flush().then(() => {
        hands.ackAll();
      });
    };
    const one = startHands(first, 1, { onDelivery: work(first) });
    const two = startHands(second, 1, { onDelivery: work(second) });
    await eventually('the consumer', () => infoOf(first).catch(() => undefined));
    await publish(first, 1, 200);
    await emptied(first);
    t.is(one.seen.length + two.seen.length, 200);
    t.true(
      Math.min(one.seen.length, two.seen.length) > 50,
      `${one.seen.length} and ${two.seen.length}`,
    );
    one.puller.stop();
    two.puller.stop();
  });

  test(name('one who holds 2,000 messages: another gets the next'), async (t) => {
    await using server = await startServer({ binary: path });
    await using first = await openTestProject(server);
    await using second = await openTestProject(server);
    const greedy = startHands(first, 2000);
    await publish(first, 1, 2000);
    await eventually('all of them', () => greedy.seen.length >= 2000);
    await publish(first, 2001, 2001);
    const other = startHands(second, 2001);
    await eventually('the last one', () =>
      other.seen.some((each) => Buffer.from(each.data).equals(parcelFor('f', 2001))),
    );
    t.pass();
    greedy.puller.stop();
    other.puller.stop();
  });

  test(
    name('1,000 requests: no subscription stays, and no request waits but the last'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const hands = startHands(project, 1, { onDelivery: ackAtOnce });
      const before = subscriptionsOf(project);
      await publish(project, 1, 1000);
      await emptied(project);
      t.is(hands.seen.length, 1000);
      t.true(subscriptionsOf(project) <= before + 1);
      await eventually('one request', async () => (await infoOf(project)).num_waiting === 1);
      hands.puller.stop();
    },
  );

  test(name('more who ask than the server lets wait by default: all wait'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const hands = startHands(project, 1);
    await eventually('the first request', async () => {
      const info = await infoOf(project).catch(() => undefined);
      return info?.num_waiting === 1;
    });
    const inbox = createInbox();
    project.connection.subscribe(inbox, { callback: () => undefined });
    const request = JSON.stringify({ batch: 1, expires: nanos(15_000) });
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${project.names.tasks}.${consumer}`;
    for (let i = 0; i < 1000; i++) project.connection.publish(subject, request, { reply: inbox });
    await eventually('all to wait', async () => (await infoOf(project)).num_waiting === 1001);
    t.pass();
    hands.puller.stop();
  });

  test(
    name('stopped with a request open: what comes for it is handed over, or comes to others'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using first = await openTestProject(server);
      await using second = await openTestProject(server);
      const stopped = startHands(first, 3, { ackWaitMs: shortMs });
      await eventually('its request', async () => {
        const info = await infoOf(first).catch(() => undefined);
        return info?.num_waiting === 1;
      });
      stopped.puller.stop();
      await publish(first, 1, 3);
      await eventually('what it had asked for', () => stopped.seen.length === 3);
      const other = startHands(second, 3, { ackWaitMs: shortMs });
      await eventually('the same, by the ack wait', () => other.seen.length === 3);
      t.deepEqual(numbersOf(other.seen).sort(), [1, 2, 3]);
      other.ackAll();
      await emptied(first);
      await publish(first, 4, 5);
      await eventually('what comes later', () => other.seen.length === 5);
      t.is(stopped.seen.length, 3);
      other.puller.stop();
    },
  );

  test(
    name('connection closed with a request open: others get what it might have got'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using second = await openTestProject(server);
      {
        await using first = await openTestProject(server);
        startHands(first, 3, { ackWaitMs: shortMs });
        await eventually('its request', async () => {
          const info = await infoOf(first).catch(() => undefined);
          return info?.num_waiting === 1;
        });
      }
      const other = startHands(second, 1, { ackWaitMs: shortMs });
      await publish(second, 1, 1);
      await eventually('the message', () => other.seen.length === 1);
      t.deepEqual(numbersOf(other.seen), [1]);
      other.puller.stop();
    },
  );

  test(name('consumer that an operator has changed: only the ack wait is set again'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const first = startHands(project, 1);
    await eventually('the consumer', () => infoOf(project).catch(() => undefined));
    first.puller.stop();
    const changed = { ack_wait: nanos(7000), max_ack_pending: 500, description: 'ours' };
    await project.manager.consumers.update(project.names.tasks, consumer, changed);
    await using other = await openTestProject(server);
    const hands = startHands(other, 2, { ackWaitMs: 9000 });
    await publish(project, 1, 2);
    await eventually('a message', () => hands.seen.length > 0);
    t.like((await infoOf(project)).config, { ...changed, ack_wait: nanos(9000) });
    hands.puller.stop();
  });
}

/** Open subscriptions of a connection, which the client does not tell. */
function subscriptionsOf({ connection }: TestProject): number {
  const { protocol } = connection as unknown as {
    protocol: { subscriptions: { size(): number } };
  };
  return protocol.subscriptions.size();
}
