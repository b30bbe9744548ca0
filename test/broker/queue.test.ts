import test from 'ava';
import type { TaskId } from '../../core/identifiers.ts';
import { Puller, type Delivery } from '../../broker/pull.ts';
import type { QueueOutcome } from '../../broker/queue.ts';
import { eventually } from '../kit/eventually.ts';
import { idFor, openTestProject, parcelFor, type TestProject } from '../kit/project.ts';
import { startServer, testServers } from '../kit/servers.ts';

const servers = await testServers();
const queue = 'default';
const ackWaitMs = 1000;

function publish(project: TestProject, number: number, extra = 0): Promise<QueueOutcome> {
  const parcel = parcelFor('f', number);
  const payload = extra === 0 ? parcel : new Uint8Array(extra);
  return new Promise((resolve) => {
    project.queue.publish({ head: idFor('f', number), queue, payload }, resolve);
  });
}

function pull(project: TestProject, onDelivery: (delivery: Delivery) => void): Puller {
  const puller = new Puller(project.connection, project.manager, project.names, {
    queue,
    ackWaitMs,
    onDelivery,
    onTrouble: () => undefined,
  });
  puller.setRoom(1);
  return puller;
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `queue (${version}): ${claim}`;

  test(name('published twice: accepted, then occupied, and it is there once'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    t.is(await publish(project, 1), 'accepted');
    t.is(await publish(project, 1), 'occupied');
    t.is(await publish(project, 2), 'accepted');
    const heads = (await project.queue.list()).map((each) => each.head);
    t.deepEqual(heads.sort(), [idFor('f', 1), idFor('f', 2)].sort());
  });

  test(name('published while it is delivered: occupied; when it is acked: accepted'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await publish(project, 1);
    const deliveries: Delivery[] = [];
    const puller = pull(project, (each) => deliveries.push(each));
    const delivery = await eventually('the delivery', () => deliveries[0]);
    t.is(await publish(project, 1), 'occupied');
    delivery.ack();
    await eventually('the message to go', async () => (await project.queue.list()).length === 0);
    t.is(await publish(project, 1), 'accepted');
    puller.stop();
  });

  test(
    name('no room in the stream: full, with the reason; occupied is still told apart'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const { config } = await project.manager.streams.info(project.names.tasks);
      await project.manager.streams.update(project.names.tasks, { ...config, max_bytes: 4000 });
      t.is(await publish(project, 1), 'accepted');
      const payload = new Uint8Array(8000);
      const message = { head: idFor('f', 2), queue, payload };
      const [outcome, why] = await new Promise<[QueueOutcome, unknown]>((resolve) => {
        project.queue.publish(message, (...settled) => {
          resolve(settled);
        });
      });
      t.is(outcome, 'full');
      t.like(why, { kind: 'refused' });
      t.is(await publish(project, 1, 8000), 'occupied');
    },
  );

  test(name('listed and read while delivered: message, queue and parcel'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await publish(project, 1);
    await new Promise((resolve) => {
      const payload = parcelFor('g/h', 1);
      project.queue.publish({ head: idFor('g/h', 1), queue: 'large', payload }, resolve);
    });
    const deliveries: Delivery[] = [];
    const puller = pull(project, (each) => deliveries.push(each));
    await eventually('the delivery', () => deliveries[0]);
    const listed = (await project.queue.list()).sort((a, b) => (a.queue < b.queue ? -1 : 1));
    t.deepEqual(listed, [
      { queue, head: idFor('f', 1) },
      { queue: 'large', head: idFor('g/h', 1) },
    ]);
    const found = await project.queue.read({ queue: 'large', head: idFor('g/h', 1) });
    t.is(found?.parcel.tasks[0]?.fn.name, 'g/h');
    t.deepEqual(
      found?.parcel.tasks.map((each) => each.id),
      [idFor('g/h', 1)],
    );
    t.is(await project.queue.read({ queue, head: idFor('f', 2) }), undefined);
    puller.stop();
  });

  test(name('withdrawn before delivery: it is not delivered, and the others are'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    for (const number of [1, 2, 3]) await publish(project, number);
    await project.queue.withdraw({ head: idFor('f', 2), queue });
    const seen: Uint8Array[] = [];
    const puller = pull(project, (each) => {
      seen.push(each.data);
      each.ack();
      puller.setRoom(1);
    });
    await eventually('an empty queue', async () => (await project.queue.list()).length === 0);
    t.deepEqual(seen, [parcelFor('f', 1), parcelFor('f', 3)]);
    puller.stop();
  });

  test(name('withdrawn while delivered: no redelivery, and its subject is free'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await publish(project, 1);
    const deliveries: Delivery[] = [];
    const puller = pull(project, (each) => deliveries.push(each));
    await eventually('the delivery', () => deliveries.length === 1);
    await project.queue.withdraw({ head: idFor('f', 1), queue });
    t.deepEqual(await project.queue.list(), []);
    // Delivered after it, and again after the ack wait: by then the one withdrawn would have come, too.
    await publish(project, 2);
    puller.setRoom(3);
    await eventually('the redelivery of the other one', () =>
      deliveries.some((each) => each.deliveries === 2),
    );
    await eventually('one more', () => deliveries.some((each) => each.deliveries === 3));
    const again = deliveries.slice(1).map((each) => each.data);
    t.deepEqual(
      again.filter((data) => !Buffer.from(data).equals(parcelFor('f', 2))),
      [],
    );
    t.is(await publish(project, 1), 'accepted');
    await eventually('the new one', () =>
      deliveries.slice(1).some((each) => Buffer.from(each.data).equals(parcelFor('f', 1))),
    );
    // The holder of the message that was withdrawn finishes late: the new one must stay.
    deliveries[0]?.ack();
    await project.connection.flush();
    t.true((await project.queue.list()).some((each) => each.head === idFor('f', 1)));
    puller.stop();
  });

  test(name('withdrawn when it is gone already: nothing happens'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await t.notThrowsAsync(project.queue.withdraw({ head: 'f.none' as TaskId, queue }));
    await publish(project, 1);
    const both = [1, 2].map(() => project.queue.withdraw({ head: idFor('f', 1), queue }));
    await t.notThrowsAsync(Promise.all(both));
    t.deepEqual(await project.queue.list(), []);
  });

  test(name('SIGKILL of the server: what was accepted is there, acked or not'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await Promise.all(Array.from({ length: 500 }, (_, i) => publish(project, i)));
    await server.kill('SIGKILL');
    await server.restart();
    const heads = await eventually('the server', () => project.queue.list().catch(() => undefined));
    t.is(heads.length, 500);
    t.is(await publish(project, 7), 'occupied');
  });
}
