import test from 'ava';
import { bucketStream, ensureTopology } from '../../broker/topology.ts';
import { encodeValue } from '../../core/codec.ts';
import { pastResults, type KnownResult, type PastResults } from '../../core/known-results.ts';
import { graphOf } from '../kit/graphs.ts';
import { factsWith, idFor, openTestProject, type TestProject } from '../kit/project.ts';
import { startServer, testServers } from '../kit/servers.ts';

const tasks = 2000;
const graph = graphOf({ f: tasks });

/** Puts results of so many tasks of `f`, from one on. */
async function putFrom(project: TestProject, first: number, count: number): Promise<void> {
  const puts = Array.from({ length: count }, (_, at) => {
    const result = { id: idFor('f', first + at), value: encodeValue(at), expects: 0 };
    return new Promise((resolve) => {
      project.results.put({ ...result, facts: factsWith('d') }, resolve);
    });
  });
  await Promise.all(puts);
}

async function recordPast({ results }: TestProject): Promise<PastResults> {
  const upTo = await results.place();
  return pastResults(upTo, await results.known(graph));
}

function inOrder(known: readonly KnownResult[]): KnownResult[] {
  return [...known].sort((a, b) => a.task - b.task);
}

/** It says that nothing is there, which only whoever believes it does not find out. */
function forgetful({ upTo }: PastResults): PastResults {
  return pastResults(upTo, []);
}

for (const { path, version } of await testServers()) {
  const name = (claim: string): string => `known results (${version}): ${claim}`;

  test(
    name('what was known and what came since, marks too: what a look at everything gives'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      await putFrom(project, 0, 500);
      await project.results.mark(idFor('f', 7));
      await putFrom(project, 1000, 500);
      const past = await recordPast(project);
      t.deepEqual(
        inOrder(await project.results.known(graph, past)),
        inOrder(await project.results.known(graph)),
      );
      t.deepEqual(await project.results.known(graph, forgetful(past)), [], 'only the past is read');
      await project.results.mark(idFor('f', 8));
      await putFrom(project, 600, 10);
      const known = inOrder(await project.results.known(graph, past));
      t.deepEqual(known, inOrder(await project.results.known(graph)));
      t.is(known.length, 1010);
      const since = inOrder(await project.results.known(graph, forgetful(past)));
      t.deepEqual(
        since.map((each) => each.task),
        [8, ...Array.from({ length: 10 }, (_, at) => 600 + at)],
      );
      t.deepEqual(
        since.map((each) => each.present),
        [false, ...Array.from({ length: 10 }, () => true)],
      );
    },
  );

  test(
    name('a stream that lost what was known and has as much of other things: nothing is believed'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      await putFrom(project, 0, 300);
      const past = await recordPast(project);
      await project.manager.streams.delete(bucketStream(project.names.results));
      await ensureTopology(project.manager, project.names, 1);
      await putFrom(project, 1000, 300);
      t.is((await project.results.place()).revision, past.upTo.revision);
      const known = await project.results.known(graph, past);
      t.deepEqual(
        inOrder(known).map((each) => each.task),
        Array.from({ length: 300 }, (_, at) => 1000 + at),
      );
      await putFrom(project, 1500, 5);
      t.is((await project.results.known(graph, past)).length, 305);
    },
  );

  test(name('a stream with less than was known: nothing is believed'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await putFrom(project, 0, 300);
    const past = await recordPast(project);
    await project.manager.streams.delete(bucketStream(project.names.results));
    await ensureTopology(project.manager, project.names, 1);
    t.deepEqual(await project.results.known(graph, past), []);
    await putFrom(project, 1000, 20);
    t.is((await project.results.known(graph, past)).length, 20);
  });

  test(
    name('the last that was known has been marked since: everything is looked at again'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      await putFrom(project, 0, 300);
      const past = await recordPast(project);
      await project.results.mark(idFor('f', 299));
      const known = inOrder(await project.results.known(graph, forgetful(past)));
      t.is(known.length, 300);
      t.false(known.at(-1)?.present);
    },
  );
}
