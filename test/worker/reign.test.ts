import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { Entry } from '../../broker/bucket.ts';
import type { Lease } from '../../broker/lease.ts';
import type { DispatcherOptions } from '../../worker/dispatcher.ts';
import { Reign } from '../../worker/reign.ts';

/** A project in which nothing is stored, whose followers can be told of an entry. */
function emptyProject(): { readonly project: unknown; readonly tellWorker: (key: string) => void } {
  let see: (entry: Entry) => void = () => undefined;
  const following = { caughtUp: Promise.resolve(), sequence: 0, stop: () => undefined };
  const follow = (_from: number, onEntry: (entry: Entry) => void): typeof following => {
    see = onEntry;
    return following;
  };
  const store = { name: 'store', follow: () => following };
  return {
    project: {
      names: { project: 'test' },
      connection: { isClosed: () => false, subscribe: () => ({ unsubscribe: () => undefined }) },
      queue: { list: () => Promise.resolve([]) },
      results: { followNews: () => following, lastRevision: () => Promise.resolve(0) },
      failures: store,
      workers: { name: 'workers', follow },
      runs: store,
      publisher: { drained: () => Promise.resolve() },
      unreadable: { attempt: (_place: unknown, read: () => unknown) => read() },
    },
    tellWorker: (key) => {
      see({ key, value: undefined, revision: 1, writtenAt: 0 });
    },
  };
}

test('while its lease is in doubt a reign looks again now and then, however much it has heard', async (t) => {
  const { project, tellWorker } = emptyProject();
  const options = { project, sweepMs: 1e6, restoreTopology: () => Promise.resolve() };
  let looks = 0;
  const lease = {
    epoch: 1,
    get isHeld() {
      looks++;
      return false;
    },
  };
  const reign = new Reign(
    { ...options, trace: () => undefined } as unknown as DispatcherOptions,
    lease as unknown as Lease,
    { restart: () => t.fail('nothing is wrong'), standBack: () => undefined },
  );
  await delay(50);
  for (let number = 0; number < 300; number++) {
    tellWorker(`w${number.toString()}`);
    await setImmediate();
  }
  looks = 0;
  await delay(1000);
  reign.end();
  t.true(looks < 50, `${looks.toString()} looks at the lease in a second`);
});
