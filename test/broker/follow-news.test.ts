import test, { type ExecutionContext } from 'ava';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bucketStream, ensureTopology, keySubject } from '../../broker/topology.ts';
import { encodeValue } from '../../core/codec.ts';
import type { ResultNews } from '../../core/heard-results.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { eventually } from '../kit/eventually.ts';
import { factsWith, idFor, openTestProject, type TestProject } from '../kit/project.ts';
import { startServer, testServers, type TestServer } from '../kit/servers.ts';
import { startProxy } from '../kit/tcp-proxy.ts';

const servers = await testServers();

/** Puts a result as jugq does, and tells it. */
function put(project: TestProject, id: TaskId): Promise<number> {
  return new Promise((resolve, reject) => {
    const result = { id, value: encodeValue(1), facts: factsWith('d1'), expects: 0 };
    project.results.put(result, (outcome) => {
      if (outcome.kind === 'stored') resolve(outcome.sequence);
      else reject(new Error(outcome.description));
    });
  });
}

/** Stores a result as somebody does who tells nothing, or died before he could. */
async function putUntold({ connection, names }: TestProject, id: TaskId): Promise<number> {
  const ack = await connection.jetstream().publish(keySubject(names.results, id), encodeValue(1));
  return ack.seq;
}

interface Ear {
  readonly seen: ResultNews[];
  readonly replaced: () => number;
  stop(): void;
}

function listen(project: TestProject, from = 1): Ear {
  const seen: ResultNews[] = [];
  let replaced = 0;
  const following = project.results.followNews(
    from,
    (news) => seen.push(news),
    () => {
      replaced++;
      seen.length = 0;
    },
  );
  return {
    seen,
    replaced: () => replaced,
    stop: () => {
      following.stop();
    },
  };
}

/** Each of the revisions has been heard, once. */
function isAll(seen: readonly ResultNews[], from: number, to: number): boolean {
  const revisions = seen.map((each) => each.revision).sort((a, b) => a - b);
  return revisions.length === to - from + 1 && revisions.every((each, at) => each === from + at);
}

async function consumersOf({ manager, names }: TestProject): Promise<number> {
  return (await manager.streams.info(bucketStream(names.results))).state.consumer_count;
}

/** Both ends have found the stream: what is put from now on is told. */
async function untilTold(project: TestProject, ear: Ear): Promise<void> {
  const { seen } = ear;
  for (;;) {
    const startedAt = performance.now();
    const revision = await put(project, idFor('first', seen.length));
    await eventually('it', () => seen.some((each) => each.revision === revision));
    if (performance.now() - startedAt < 50) return;
  }
}

/** Resolves when the stream of the results has been looked at by somebody. */
async function nextLook({ connection, names }: TestProject): Promise<void> {
  const subject = `$JS.API.STREAM.INFO.${bucketStream(names.results)}`;
  const looks = connection.subscribe(subject, { max: 1 });
  for await (const _ of looks) break;
  await delay(20);
}

/** Keeps what the server's disk has now; `comeBack` crashes the server and starts it with no more than that. */
async function keepStore(t: ExecutionContext, server: TestServer): Promise<() => Promise<void>> {
  const kept = await mkdtemp(join(tmpdir(), 'jugq-kept-'));
  t.teardown(() => rm(kept, { recursive: true, force: true }));
  await cp(server.storeDir, kept, { recursive: true });
  return async () => {
    await server.kill('SIGKILL');
    await rm(server.storeDir, { recursive: true });
    await cp(kept, server.storeDir, { recursive: true });
    await server.restart();
  };
}

function last(seen: readonly ResultNews[]): number {
  return Math.max(...seen.map((each) => each.revision));
}

function isOnlyHeard(
  t: ExecutionContext,
  seen: readonly ResultNews[],
  ids: readonly TaskId[],
): void {
  t.deepEqual(seen.map((each) => each.id).sort(), [...ids].sort());
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `following news (${version}): ${claim}`;

  test(name('what two have put and marked: heard by their words, without reading'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await using other = await openTestProject(server);
    const ear = listen(project);
    await untilTold(project, ear);
    await untilTold(other, ear);
    await eventually('no reader', async () => (await consumersOf(project)) === 0);
    const from = last(ear.seen) + 1;
    const numbers = Array.from({ length: 500 }, (_, number) => number);
    await Promise.all(
      numbers.flatMap((number) => [
        put(project, idFor('f', number)),
        put(other, idFor('g', number)),
      ]),
    );
    t.is(await consumersOf(project), 0);
    const marked = await project.results.mark(idFor('f', 7));
    await eventually('all of it', () =>
      isAll(
        ear.seen.filter((each) => each.revision >= from),
        from,
        from + 1000,
      ),
    );
    t.like(marked, { kind: 'stored', sequence: from + 1000 });
    t.deepEqual(ear.seen.at(-1), {
      id: idFor('f', 7),
      revision: from + 1000,
      present: false,
      ms: undefined,
    });
    const value = ear.seen.find((each) => each.id === idFor('g', 3));
    t.like(value, { present: true, ms: 12.5 });
    ear.stop();
  });

  test(name('what nobody tells: read, alone, first and in between'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await putUntold(project, idFor('before', 1));
    const ear = listen(project);
    await eventually('what was there before', () => isAll(ear.seen, 1, 1));
    await putUntold(project, idFor('alone', 1));
    await eventually('the last of all', () => isAll(ear.seen, 1, 2));
    await untilTold(project, ear);
    const from = last(ear.seen) + 1;
    const doings: Promise<number>[] = [];
    for (let number = 0; number < 300; number++) {
      const how = number % 50 === 9 ? putUntold : put;
      doings.push(how(project, idFor('mixed', number)));
    }
    await Promise.all(doings);
    await eventually('all of it', () => isAll(ear.seen, 1, from + 299));
    t.is(ear.replaced(), 0);
    ear.stop();
  });

  test(
    name('entries that were written over before they were read: no wait for them'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const id = idFor('f', 1);
      for (let round = 0; round < 5; round++) await project.results.mark(id);
      const revision = await putUntold(project, idFor('f', 2));
      const ear = listen(project);
      await eventually('the last of each', () => ear.seen.length === 2);
      t.deepEqual(
        ear.seen.map((each) => each.revision),
        [5, revision],
      );
      await untilTold(project, ear);
      await eventually('no reader', async () => (await consumersOf(project)) === 0);
      ear.stop();
    },
  );

  test(
    name('a word about another stream, and what is no word: nothing is heard of it'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const { connection, names } = project;
      const ear = listen(project);
      await untilTold(project, ear);
      const told = ear.seen.map((each) => each.id);
      const next = last(ear.seen) + 1;
      const { created } = await project.manager.streams.info(bucketStream(names.results));
      const id = idFor('f', 1);
      for (const word of [
        `1 2020-01-01T00:00:00Z\n${next.toString()} 1.000 ${id}`,
        `2 ${created}\n${next.toString()} 1.000 ${id}`,
        `1 ${created}\nnonsense\n${next.toString()} ${id}\n0 1.000 ${id}\n-3 1.000 ${id}\n1e400 1.000 ${id}\n`,
        `1 ${created}\n${next.toString()} soon ${id}\n${next.toString()} -1 ${id}\n${next.toString()} 1.000 x\n`,
        `1 ${created}`,
        '',
        '\u0000\u00ff',
      ]) {
        connection.publish(`jugq.${names.project}.stored`, Buffer.from(word, 'latin1'));
      }
      await connection.flush();
      await delay(300);
      isOnlyHeard(t, ear.seen, told);
      t.is(ear.replaced(), 0);
      t.is(await put(project, id), next);
      await eventually('the true one', () => isAll(ear.seen, 1, next));
      ear.stop();
    },
  );

  test(
    name('a word of something that the stream does not have: what was heard is in doubt'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const { connection, names } = project;
      const ear = listen(project);
      await untilTold(project, ear);
      const { created } = await project.manager.streams.info(bucketStream(names.results));
      const word = `1 ${created}\n1000000 1.000 ${idFor('lost', 1)}`;
      connection.publish(`jugq.${names.project}.stored`, Buffer.from(word, 'latin1'));
      await eventually('doubt', () => ear.replaced() === 1);
      const known = await project.results.lastRevision();
      await eventually('all that is there', () => isAll(ear.seen, 1, known));
      t.is(ear.replaced(), 1);
      ear.stop();
    },
  );

  test(
    name('a stream that is deleted and made again: said, and heard from its first'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const ear = listen(project);
      await untilTold(project, ear);
      await project.manager.streams.delete(bucketStream(project.names.results));
      await ensureTopology(project.manager, project.names, 1);
      await eventually('that it is another one', () => ear.replaced() > 0);
      t.is(await put(project, idFor('f', 1)), 1);
      t.is(await putUntold(project, idFor('f', 2)), 2);
      await eventually('what is in the new one', () => isAll(ear.seen, 1, 2));
      ear.stop();
    },
  );

  test(name('a server that came back with less, and has as much again: said'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const ear = listen(project);
    for (let number = 0; number < 20; number++) await putUntold(project, idFor('kept', number));
    await eventually('all of them', () => isAll(ear.seen, 1, 20));
    await delay(1200);
    const comeBack = await keepStore(t, server);
    for (let number = 0; number < 5; number++) await putUntold(project, idFor('lost', number));
    await eventually('those as well', () => isAll(ear.seen, 1, 25));
    // A look has seen them, too.
    await delay(1200);
    await comeBack();
    await using other = await openTestProject(server);
    for (let number = 0; number < 8; number++) await putUntold(other, idFor('new', number));
    await eventually('that what was heard is in doubt', () => ear.replaced() === 1);
    await eventually('what is there', () => isAll(ear.seen, 1, 28));
    t.false(ear.seen.some(({ id }) => id.startsWith('lost.')));
    ear.stop();
  });

  test(
    name('a server that came back with less than a look has shown, untold: what comes is heard'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const ear = listen(project);
      for (let number = 0; number < 20; number++) await putUntold(project, idFor('kept', number));
      await eventually('all of them', () => isAll(ear.seen, 1, 20));
      await delay(1200);
      const comeBack = await keepStore(t, server);
      for (let number = 0; number < 5; number++) await putUntold(project, idFor('lost', number));
      await nextLook(project);
      await comeBack();
      await using other = await openTestProject(server);
      await nextLook(other);
      for (let number = 0; number < 8; number++) await putUntold(other, idFor('new', number));
      await eventually('all that is there, and nothing else', () => isAll(ear.seen, 1, 28));
      t.false(ear.seen.some(({ id }) => id.startsWith('lost.')));
      ear.stop();
    },
  );

  test(name('links that break on both ends: everything is heard, once'), async (t) => {
    await using server = await startServer({ binary: path });
    await using proxy = await startProxy(server.port);
    await using project = await openTestProject(proxy);
    await using other = await openTestProject(proxy);
    const ear = listen(project);
    await untilTold(other, ear);
    const from = last(ear.seen) + 1;
    let stored = 0;
    for (let round = 0; round < 4; round++) {
      const doings = Array.from({ length: 200 }, () => put(other, idFor('f', stored++)));
      proxy.cut();
      // One that was stored without its answer is sent again and refused: it is there all the same.
      await Promise.allSettled(doings);
    }
    t.is(await project.results.lastRevision(), from + stored - 1);
    await eventually('all of it', () => isAll(ear.seen, 1, from + stored - 1));
    t.is(ear.replaced(), 0);
    ear.stop();
  });

  test(name('stopped: hears nothing more, and leaves no reader'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    for (let number = 0; number < 10; number++) await putUntold(project, idFor('f', number));
    const ear = listen(project);
    ear.stop();
    await put(project, idFor('f', 10));
    await delay(1200);
    t.is(ear.seen.length, 0);
    t.is(await consumersOf(project), 0);
  });
}
