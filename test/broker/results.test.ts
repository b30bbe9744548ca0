import test from 'ava';
import { randomBytes } from 'node:crypto';
import type { ResultEntry } from '../../broker/results.ts';
import type { PublishOutcome } from '../../broker/publisher.ts';
import { decodeValue, encodeValue } from '../../core/codec.ts';
import type { TaskId } from '../../core/identifiers.ts';
import type { BlobReference } from '../../core/parcel.ts';
import type { KnownResult } from '../../core/known-results.ts';
import { eventually } from '../kit/eventually.ts';
import { graphOf } from '../kit/graphs.ts';
import { factsWith, idFor, openTestProject, type TestProject } from '../kit/project.ts';
import { startServer, testServers } from '../kit/servers.ts';

const servers = await testServers();

function put(
  project: TestProject,
  id: TaskId,
  options: { value?: Uint8Array | BlobReference; expects?: number; digest?: string } = {},
): Promise<PublishOutcome> {
  const { value = encodeValue(1), expects = 0, digest = 'd1' } = options;
  return new Promise((resolve) => {
    project.results.put({ id, value, facts: factsWith(digest), expects }, resolve);
  });
}

async function revisionOf(outcome: Promise<PublishOutcome>): Promise<number> {
  const settled = await outcome;
  if (settled.kind !== 'stored') throw new Error(`refused: ${settled.description}`);
  return settled.sequence;
}

/** Results of tasks 0 to 99 of `f`: values, markers for each tenth, nothing for each seventh. */
async function fill(project: TestProject): Promise<void> {
  for (let n = 0; n < 100; n++) {
    if (n % 7 === 0) continue;
    const revision = await revisionOf(put(project, idFor('f', n)));
    if (n % 10 === 0) await project.results.mark(idFor('f', n), revision);
  }
}

function first100(known: readonly KnownResult[]): KnownResult[] {
  return known.filter((each) => each.task < 100).sort((a, b) => a.task - b.task);
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `results (${version}): ${claim}`;

  test(name('second put of a task: refused, and the first stays'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const id = idFor('f', 1);
    const revision = await revisionOf(put(project, id, { value: encodeValue('first') }));
    t.like(await put(project, id, { value: encodeValue('second') }), {
      kind: 'refused',
      code: 10071,
    });
    const found = await project.results.read(id);
    t.is(found?.revision, revision);
    t.is(decodeValue(found?.data ?? new Uint8Array()), 'first');
  });

  test(name('facts of the attempt: read as they were written, from anywhere'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const id = idFor('some/func-tion_1', 1);
    const facts = {
      worker: 'host-12-ab3',
      ms: 1234.567,
      attempt: 3,
      fingerprint: 'a1b2',
      digest: 'c3d4',
    };
    const value = encodeValue([1, 2]);
    const revision = await new Promise<number>((resolve) => {
      project.results.put({ id, value, facts, expects: 0 }, (outcome) => {
        resolve(outcome.kind === 'stored' ? outcome.sequence : 0);
      });
    });
    const expected = { id, revision, present: true, facts, isBlob: false };
    for (const found of [
      await project.results.read(id),
      await project.results.readFromLeader(id),
    ]) {
      t.like(found, expected);
      t.deepEqual(new Uint8Array(found?.data ?? []), value);
    }
    const seen: ResultEntry[] = [];
    const following = project.results.follow(1, (entry) => seen.push(entry));
    await following.caughtUp;
    t.deepEqual(seen, [{ id, revision, present: true, facts }]);
    following.stop();
  });

  test(name('read by a plain client of NATS: the value is the CBOR of the result'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const id = idFor('f', 1);
    const value = encodeValue({ answer: 42, list: [1n, undefined] });
    await put(project, id, { value });
    const kv = await project.connection.jetstream().views.kv(project.names.results);
    const entry = await kv.get(id);
    t.deepEqual(decodeValue(entry?.value ?? new Uint8Array()), {
      answer: 42,
      list: [1n, undefined],
    });
    t.deepEqual(new Uint8Array(entry?.value ?? []), value);
    const keys: string[] = [];
    for await (const key of await kv.keys()) keys.push(key);
    t.deepEqual(keys, [id]);
  });

  test(name('after a marker: just a put that expects its revision is taken'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const id = idFor('f', 1);
    const revision = await revisionOf(put(project, id));
    t.is((await project.results.mark(id, 0)).kind, 'refused');
    const marker = await revisionOf(project.results.mark(id, revision));
    t.like(await project.results.read(id), { present: false, revision: marker });
    t.like(await project.results.readFromLeader(id), { present: false, revision: marker });
    t.is((await put(project, id, { expects: 0 })).kind, 'refused', 'from before the marker');
    t.is((await put(project, id, { expects: revision })).kind, 'refused');
    t.is((await put(project, id, { expects: marker })).kind, 'stored');
    t.like(await project.results.read(id), { present: true });
  });

  test(
    name('marker on a task that never had a result: refuses a put that expects none'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const id = idFor('f', 1);
      t.is((await project.results.mark(id, 0)).kind, 'stored');
      t.is((await put(project, id)).kind, 'refused');
    },
  );

  test(name('never had an entry: undefined, from any replica and from the leader'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    t.is(await project.results.read(idFor('f', 1)), undefined);
    t.is(await project.results.readFromLeader(idFor('f', 1)), undefined);
  });

  test(
    name('read while the server is killed and started again: answered all the same'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const id = idFor('f', 1);
      await put(project, id);
      await server.kill('SIGKILL');
      const readings = [project.results.read(id), project.results.readFromLeader(id)];
      await server.restart();
      for (const found of await Promise.all(readings)) t.like(found, { present: true });
    },
  );

  test(name('larger than a message: a reference, and its value is read whole'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const value = new Uint8Array(randomBytes(3_000_000));
    t.true(value.length > project.results.inlineBytesMax);
    const reference = { blob: 'digest.1', size: value.length, digest: 'digest' };
    await project.blobs.put(reference.blob, [value]);
    const id = idFor('f', 1);
    t.is((await put(project, id, { value: reference })).kind, 'stored');
    for (const found of [
      await project.results.read(id),
      await project.results.readFromLeader(id),
    ]) {
      if (found === undefined) throw new Error('expected a result');
      t.true(found.isBlob);
      t.true(Buffer.from(await project.results.valueOf(found)).equals(value));
    }
  });

  test(
    name('its blob is gone, or the chunks of it are: an error at once, with what to do'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const value = new Uint8Array(randomBytes(2_000_000));
      for (const [number, blob] of ['gone', 'hollow'].entries()) {
        await project.blobs.put(blob, [value]);
        const reference = { blob, size: value.length, digest: 'digest' };
        await put(project, idFor('f', number), { value: reference });
      }
      await project.blobs.delete('gone');
      const store = await project.connection.jetstream().views.os(project.names.blobs);
      const nuid = (await store.info('hollow'))?.nuid ?? '';
      const filter = `$O.${project.names.blobs}.C.${nuid}`;
      await project.manager.streams.purge(`OBJ_${project.names.blobs}`, { filter });
      for (const number of [0, 1]) {
        const found = await project.results.read(idFor('f', number));
        if (found === undefined) throw new Error('expected a result');
        await t.throwsAsync(project.results.valueOf(found), {
          code: 'VALUE_CORRUPT',
          message: /plan again/,
        });
      }
    },
  );

  test(name('known by asking and by scanning: the same values and markers'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    t.deepEqual(await project.results.known(graphOf({ f: 100 })), [], 'of an empty bucket');
    await fill(project);
    // Of other functions, one with a name that begins alike; and what is no task at all.
    for (const other of ['g', 'f/sub', 'ff']) await put(project, idFor(other, 1));
    const kv = await project.connection.jetstream().views.kv(project.names.results);
    await kv.put('hello', 'world');
    await kv.put('f.short', 'no hash');
    await kv.put('f.UPPER-case-that-is-not-base-32-xx', 'no hash');
    const expected = [];
    for (let n = 0; n < 100; n++) {
      const stored = await project.results.readFromLeader(idFor('f', n));
      if (stored === undefined) continue;
      expected.push({ task: n, revision: stored.revision, present: n % 10 !== 0, stale: false });
    }
    t.is(expected.length, 85);
    const many = Array.from({ length: 20 }, (_, i) => [`h${i.toString()}`, 100] as const);
    const asked = await project.results.known(graphOf({ f: 100 }));
    const scanned = await project.results.known(graphOf({ f: 2000 }));
    const scannedAll = await project.results.known(
      graphOf({ f: 100, ...Object.fromEntries(many) }),
    );
    t.deepEqual(first100(asked), expected);
    t.deepEqual(first100(scanned), expected);
    t.deepEqual(first100(scannedAll), expected);
    t.is(scanned.length, expected.length);
    t.is(scannedAll.length, expected.length);
  });

  test(name('ids by prefix: those with a value, sorted'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await fill(project);
    for (const other of ['ff', 'fa/b']) await put(project, idFor(other, 1));
    const withValue = Array.from({ length: 100 }, (_, n) => n)
      .filter((n) => n % 7 !== 0 && n % 10 !== 0)
      .map((n) => idFor('f', n));
    const all = [...withValue, idFor('ff', 1), idFor('fa/b', 1)].sort();
    const { results } = project;
    t.deepEqual(await results.idsWithPrefix('f.'), [...withValue].sort());
    t.deepEqual(await results.idsWithPrefix('f'), all);
    t.deepEqual(await results.idsWithPrefix(''), all);
    t.deepEqual(await results.idsWithPrefix('fa/'), [idFor('fa/b', 1)]);
    const id = idFor('f', 1);
    t.deepEqual(await results.idsWithPrefix(id.slice(0, 12)), [id]);
    t.deepEqual(await results.idsWithPrefix(id), [id]);
    for (const none of ['x', 'x.a', `f.${'a'.repeat(20)}`, 'two words.a', '*.a', '>', '.', 'f..']) {
      t.deepEqual(await results.idsWithPrefix(none), [], none);
    }
  });

  test(
    name('followed from the revision after the last: just what comes, markers too'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      t.is(await project.results.lastRevision(), 0);
      const before = await revisionOf(put(project, idFor('f', 1)));
      t.is(await project.results.lastRevision(), before);
      const seen: ResultEntry[] = [];
      const following = project.results.follow(before + 1, (entry) => seen.push(entry));
      await following.caughtUp;
      const after = await revisionOf(put(project, idFor('f', 2)));
      const marker = await revisionOf(project.results.mark(idFor('f', 1), before));
      await eventually('both', () => seen.length === 2);
      t.deepEqual(
        seen.map(({ id, revision, present }) => ({ id, revision, present })),
        [
          { id: idFor('f', 2), revision: after, present: true },
          { id: idFor('f', 1), revision: marker, present: false },
        ],
      );
      following.stop();
    },
  );
}
