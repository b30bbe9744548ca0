import test from 'ava';
import { randomBytes } from 'node:crypto';
import { eventually } from '../kit/eventually.ts';
import { openTestProject, type TestProject } from '../kit/project.ts';
import { startServer, testServers } from '../kit/servers.ts';

const servers = await testServers();

async function chunkSubject(project: TestProject, blob: string): Promise<string> {
  const store = await project.connection.jetstream().views.os(project.names.blobs);
  return `$O.${project.names.blobs}.C.${(await store.info(blob))?.nuid ?? ''}`;
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `blobs (${version}): ${claim}`;

  test(name('stored in pieces: read as one, by jugq and by any client'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const pieces = [0, 10, 3_000_000, 1].map((size) => new Uint8Array(randomBytes(size)));
    await project.blobs.put('a', pieces);
    const whole = Buffer.concat(pieces);
    t.true(whole.equals((await project.blobs.get('a')) ?? new Uint8Array()));
    const store = await project.connection.jetstream().views.os(project.names.blobs);
    t.true(whole.equals((await store.getBlob('a')) ?? new Uint8Array()));
  });

  test(
    name('read piece by piece: all of them in order, of what was there at the start'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const { blobs } = project;
      t.is(await blobs.firstPiece('a'), undefined);
      const one = new Uint8Array(randomBytes(300_000));
      const other = new Uint8Array(randomBytes(400_000));
      await blobs.put('b', [other]);
      await blobs.put('a', [one]);
      const read: Uint8Array[] = [];
      for (let place = await blobs.firstPiece('a'); place !== undefined;) {
        const piece = await blobs.piece(place);
        read.push(piece.bytes);
        place = piece.next;
      }
      t.is(read.length, 3);
      t.true(Buffer.concat(read).equals(one));
      const gone = await blobs.firstPiece('b');
      await blobs.delete('b');
      if (gone === undefined) throw new Error('b is not there');
      await t.throwsAsync(blobs.piece(gone), { message: /its chunks are missing/ });
    },
  );

  test(name('empty: read as empty'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await project.blobs.put('a', []);
    t.deepEqual(await project.blobs.get('a'), new Uint8Array());
  });

  test(name('never stored or deleted: undefined, and there is none'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    t.false(await project.blobs.has('a'));
    t.is(await project.blobs.get('a'), undefined);
    await project.blobs.delete('a');
    await project.blobs.put('a', [Uint8Array.of(1)]);
    t.true(await project.blobs.has('a'));
    await project.blobs.delete('a');
    t.false(await project.blobs.has('a'));
    t.is(await project.blobs.get('a'), undefined);
  });

  test(
    name('chunk changed or missing: an error that says so; one too many at the end is not read'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const { blobs, manager } = project;
      const stream = `OBJ_${project.names.blobs}`;
      const bytes = new Uint8Array(randomBytes(300_000));
      const client = project.connection.jetstream();
      for (const blob of ['changed', 'missing', 'too-many']) await blobs.put(blob, [bytes]);
      const deleteLast = async (blob: string): Promise<{ subject: string; data: Uint8Array }> => {
        const subject = await chunkSubject(project, blob);
        const { seq, data } = await manager.streams.getMessage(stream, { last_by_subj: subject });
        await manager.streams.deleteMessage(stream, seq, false);
        return { subject, data };
      };
      const { subject, data } = await deleteLast('changed');
      await client.publish(
        subject,
        data.map((each) => each ^ 1),
      );
      await deleteLast('missing');
      await client.publish(await chunkSubject(project, 'too-many'), Uint8Array.of(1));
      const code = 'VALUE_CORRUPT';
      await t.throwsAsync(blobs.get('changed'), {
        code,
        message: /chunks are changed: plan again/,
      });
      await t.throwsAsync(blobs.get('missing'), {
        code,
        message: /chunks are missing: plan again/,
      });
      t.deepEqual(await blobs.get('too-many'), bytes);
    },
  );

  test(name('server killed while it is read: waited for, and read whole'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const bytes = new Uint8Array(randomBytes(30_000_000));
    await project.blobs.put('a', [bytes]);
    const reading = project.blobs.get('a');
    const { inBytes } = project.connection.stats();
    await eventually('the first chunks', () => project.connection.stats().inBytes > inBytes + 1e6);
    await server.kill('SIGKILL');
    await server.restart();
    t.true(Buffer.from((await reading) ?? []).equals(bytes));
  });

  test(name('server away: a read waits for it'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await project.blobs.put('a', [Uint8Array.of(7)]);
    await server.kill('SIGKILL');
    const reading = project.blobs.get('a');
    await server.restart();
    t.deepEqual(await reading, Uint8Array.of(7));
  });

  test(name('no room: an error that says what to do, and nothing of it stays'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const stream = `OBJ_${project.names.blobs}`;
    const { config } = await project.manager.streams.info(stream);
    await project.manager.streams.update(stream, { ...config, max_bytes: 1_000_000 });
    await t.throwsAsync(project.blobs.put('a', [new Uint8Array(3_000_000)]), {
      code: 'SERVER_FULL',
      message: /storing a in jugq-test-blobs: .*make room/,
    });
    t.false(await project.blobs.has('a'));
    t.is((await project.manager.streams.info(stream)).state.messages, 0);
  });

  test(name('100 read at once: all whole'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const contents = Array.from({ length: 100 }, (_, i) => new Uint8Array(1000 * i).fill(i));
    await Promise.all(contents.map((each, i) => project.blobs.put(i.toString(), [each])));
    const found = await Promise.all(contents.map((_, i) => project.blobs.get(i.toString())));
    t.true(
      found.every((each, i) => Buffer.from(contents[i] ?? []).equals(each ?? Uint8Array.of(0))),
    );
    await eventually('the consumers to go', async () => {
      const { state } = await project.manager.streams.info(`OBJ_${project.names.blobs}`);
      return state.consumer_count === 0;
    });
  });
}
