import test from 'ava';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Lease } from '../../broker/lease.ts';
import { ensureTopology } from '../../broker/topology.ts';
import { decodeRecord, encodeRecord, type LeaseRecord } from '../../core/records.ts';
import { eventually } from '../kit/eventually.ts';
import { openTestProject, type TestProject } from '../kit/project.ts';
import { startServer, testServers } from '../kit/servers.ts';
import { startProxy } from '../kit/tcp-proxy.ts';

const servers = await testServers();
const leaseMs = 1000;
/** Longer than a test waits for anything: what happens in spite of it does not wait for its end. */
const endlessMs = 600_000;
const key = 'dispatcher';

interface Candidate {
  readonly lease: Lease;
  readonly project: TestProject;
  readonly epochs: number[];
  lost: number;
}

/** Who competes for the lease of a server's project, and what was wrong if two held it at once. */
class Contest implements AsyncDisposable {
  readonly candidates: Candidate[] = [];
  readonly wrongs: string[] = [];

  async add(
    server: { port: number },
    options: { readonly holder?: string; readonly ms?: number } = {},
  ): Promise<Candidate> {
    const project = await openTestProject(server);
    const { holder = `c${this.candidates.length.toString()}`, ms = leaseMs } = options;
    const lease = new Lease({
      bucket: project.leases,
      holder,
      leaseMs: ms,
      onAcquired: (epoch) => {
        candidate.epochs.push(epoch);
        const others = this.candidates.filter((each) => each !== candidate && each.lease.isHeld);
        if (others.length > 0) this.wrongs.push(`${holder} got it while another trusted in it`);
      },
      onLost: () => {
        candidate.lost++;
      },
    });
    const candidate: Candidate = { lease, project, epochs: [], lost: 0 };
    this.candidates.push(candidate);
    return candidate;
  }

  get holders(): Candidate[] {
    return this.candidates.filter((each) => each.lease.isHeld);
  }

  /** Waits until one of them holds it, other than the given one. */
  async holder(other?: Candidate): Promise<Candidate> {
    return eventually('a holder', () => this.holders.find((each) => each !== other));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { project, lease } of this.candidates) {
      if (!project.connection.isClosed()) await lease.release();
      await project[Symbol.asyncDispose]();
    }
  }
}

/** Epochs of all acquisitions, in the order of the server, each once. */
function epochsOf(contest: Contest): number[] {
  return contest.candidates.flatMap((each) => each.epochs);
}

async function renewals(candidate: Candidate, count: number): Promise<void> {
  const revision = async (): Promise<number> =>
    (await candidate.project.leases.get(key))?.revision ?? 0;
  const first = await revision();
  await eventually('renewals', async () => (await revision()) >= first + count);
}

interface ChildHolder {
  readonly child: ChildProcess;
  readonly lines: string[];
}

/** A candidate in a process of its own, which prints what it does. */
function startChild(server: { readonly port: number }): ChildHolder {
  const script = fileURLToPath(new URL('lease-holder.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--import=tsx', script, `nats://127.0.0.1:${server.port.toString()}`, leaseMs.toString()],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return { child, lines };
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `lease (${version}): ${claim}`;

  test(name('holder that stands back: another has it at once; alone it has it back'), async (t) => {
    await using server = await startServer({ binary: path });
    await using contest = new Contest();
    const first = await contest.add(server);
    await contest.holder();
    first.lease.standBack();
    await eventually('it to be lost', () => first.lost === 1);
    t.is(await contest.holder(), first);
    const second = await contest.add(server);
    await renewals(first, 1);
    first.lease.standBack();
    t.is(await contest.holder(first), second);
    await renewals(second, 3);
    t.deepEqual([first.lost, second.lost], [2, 0]);
    t.deepEqual(contest.wrongs, []);
  });

  test(name('ten candidates: one holds it, and renews it'), async (t) => {
    await using server = await startServer({ binary: path });
    await using contest = new Contest();
    await Promise.all(Array.from({ length: 10 }, () => contest.add(server)));
    const holder = await contest.holder();
    await renewals(holder, 8);
    t.deepEqual(contest.holders, [holder]);
    t.deepEqual(epochsOf(contest), [holder.lease.epoch]);
    t.deepEqual(contest.wrongs, []);
    const entry = await holder.project.leases.get(key);
    const record = decodeRecord<LeaseRecord>(entry?.value ?? new Uint8Array(), 'the lease');
    t.is(record.pid, process.pid);
  });

  test(
    name('holder falls silent, again and again: another takes over, with a greater epoch'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using contest = new Contest();
      await Promise.all(Array.from({ length: 5 }, () => contest.add(server)));
      const epochs: number[] = [];
      let silenced: Candidate | undefined;
      for (let round = 0; round < 4; round++) {
        silenced = await contest.holder(silenced);
        epochs.push(silenced.lease.epoch);
        await silenced.project.connection.close();
      }
      const last = await contest.holder(silenced);
      epochs.push(last.lease.epoch);
      t.deepEqual(contest.wrongs, []);
      t.deepEqual(
        epochs,
        [...new Set(epochs)].sort((a, b) => a - b),
      );
      t.is(epochs.length, 5);
    },
  );

  test(name('released: another has it at once, not when it would have run out'), async (t) => {
    await using server = await startServer({ binary: path });
    await using contest = new Contest();
    const first = await contest.add(server, { ms: endlessMs });
    await contest.holder();
    const second = await contest.add(server, { ms: endlessMs });
    await first.lease.release();
    t.false(first.lease.isHeld);
    t.is(first.lease.epoch, 0);
    await contest.holder();
    t.true(second.lease.isHeld);
    t.true(second.lease.epoch > (first.epochs[0] ?? 0));
    t.is(first.lost, 0);
  });

  test(name('released by a candidate that never had it: the holder keeps it'), async (t) => {
    await using server = await startServer({ binary: path });
    await using contest = new Contest();
    const first = await contest.add(server);
    await contest.holder();
    const second = await contest.add(server);
    await second.lease.release();
    await renewals(first, 4);
    t.true(first.lease.isHeld);
    t.is(first.epochs.length, 1);
  });

  test(
    name('holder that cannot renew: trusts in it no more when another takes over'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using proxy = await startProxy(server.port);
      await using contest = new Contest();
      const cutOff = await contest.add(proxy);
      await contest.holder();
      const other = await contest.add(server);
      await renewals(cutOff, 2);
      proxy.mute();
      t.is(await contest.holder(cutOff), other);
      t.false(cutOff.lease.isHeld);
      t.deepEqual(contest.wrongs, []);
      proxy.cut();
      await eventually('the other one to learn it', () => cutOff.lost === 1);
      t.is(cutOff.lease.epoch, 0);
      t.true(other.lease.isHeld);
    },
  );

  test(name('acknowledgement of a renewal lost: still the same reign'), async (t) => {
    await using server = await startServer({ binary: path });
    await using proxy = await startProxy(server.port);
    await using direct = await openTestProject(server);
    await using contest = new Contest();
    const holder = await contest.add(proxy, { ms: 3000 });
    await contest.holder();
    const epoch = holder.lease.epoch;
    const before = (await direct.leases.get(key))?.revision ?? 0;
    proxy.mute();
    await eventually('a renewal that is stored', async () => {
      return ((await direct.leases.get(key))?.revision ?? 0) > before;
    });
    proxy.cut();
    await eventually('renewals that it hears of', async () => {
      const now = (await direct.leases.get(key))?.revision ?? 0;
      return holder.lease.isHeld && now > before + 2;
    });
    t.is(holder.lease.epoch, epoch);
    t.is(holder.lost, 0);
  });

  test(
    name(
      'acknowledgement of the acquisition lost: acquired all the same, without waiting for a lease',
    ),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using proxy = await startProxy(server.port);
      await using direct = await openTestProject(server);
      await using contest = new Contest();
      const holder = await contest.add(server, { ms: endlessMs });
      await contest.holder();
      const second = await contest.add(proxy, { ms: endlessMs });
      await second.project.connection.flush();
      // The second one is told of the release before its link goes dumb: it cannot be made to write otherwise.
      const following = second.project.leases.follow(1, (entry) => {
        if (entry.value === undefined) proxy.mute();
      });
      await following.caughtUp;
      await holder.lease.release();
      await eventually('an acquisition that is stored', async () => {
        return (await direct.leases.get(key))?.value !== undefined;
      });
      proxy.cut();
      await eventually('the acquisition', () => second.lease.isHeld);
      t.is(second.epochs.length, 1);
      following.stop();
    },
  );

  test(
    name('holder stopped with SIGSTOP: does nothing when it goes on, but learns that it has lost'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using proxy = await startProxy(server.port);
      const { child, lines } = startChild(proxy);
      t.teardown(() => child.kill('SIGKILL'));
      await eventually('the child to act', () => lines.at(-1) === 'act');
      child.kill('SIGSTOP');
      // What it would hear when it goes on might hide that its own clock does not stop it.
      proxy.mute();
      await using contest = new Contest();
      await contest.add(server);
      await contest.holder();
      const before = lines.length;
      child.kill('SIGCONT');
      await eventually('the child to go on', () => lines.length > before);
      proxy.cut();
      await eventually('the child to learn it', () => lines.includes('lost'));
      t.false(lines.slice(before).includes('act'));
    },
  );

  test(
    name('SIGKILL and restart of the server: one holds it afterwards, and never two'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using contest = new Contest();
      await Promise.all(Array.from({ length: 5 }, () => contest.add(server)));
      const before = (await contest.holder()).lease.epoch;
      await server.kill('SIGKILL');
      await server.restart();
      const holder = await eventually('a renewal after that', async () => {
        const [holds] = contest.holders;
        if (holds === undefined) return undefined;
        const entry = await holds.project.leases.get(key).catch(() => undefined);
        return entry !== undefined && holds;
      });
      await renewals(holder, 3);
      // On a busy machine it may have gone to another one meanwhile.
      const { lease } = await contest.holder();
      t.is(contest.holders.length, 1);
      t.true(lease.epoch >= before, `epoch ${lease.epoch} after ${before}`);
      t.deepEqual(contest.wrongs, []);
    },
  );

  test(name('server back with an empty store: somebody gets it again'), async (t) => {
    await using server = await startServer({ binary: path });
    await using contest = new Contest();
    await Promise.all(Array.from({ length: 3 }, () => contest.add(server)));
    await contest.holder();
    await server.restart({ emptyStore: true });
    const holder = await eventually('a holder in the new bucket', async () => {
      const [holds] = contest.holders;
      const entry = await holds?.project.leases.get(key).catch(() => undefined);
      return entry !== undefined && contest.holders.length === 1 && holds;
    });
    await renewals(holder, 3);
    t.deepEqual(contest.wrongs, []);
  });

  test(
    name('bucket made again, where a new holder has the old revision: respected for a whole lease'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using direct = await openTestProject(server);
      const { leases, manager, names } = direct;
      const record = (at: string): Uint8Array => {
        const lease: LeaseRecord = { format: 1, holder: 'somebody', host: 'h', pid: 1, at };
        return encodeRecord(lease);
      };
      const ms = 3000;
      t.is(await leases.put(key, record('2026-01-01T00:00:00.000Z'), 0), 1);
      await using contest = new Contest();
      const candidate = await contest.add(server, { ms });
      await manager.streams.delete(`KV_${names.leases}`);
      await ensureTopology(manager, names, 1);
      t.is(await leases.put(key, record('2026-01-01T00:00:03.000Z'), 0), 1);
      const writtenAt = performance.now();
      await contest.holder();
      t.true(performance.now() - writtenAt >= ms);
      t.is(candidate.epochs.length, 1);
    },
  );

  test(name('entry tidied away by the bucket: a candidate gets it'), async (t) => {
    await using server = await startServer({ binary: path });
    await using contest = new Contest();
    const gone = await contest.add(server);
    await contest.holder();
    const other = await contest.add(server);
    await renewals(gone, 3);
    await gone.project.connection.close();
    const { manager, names } = other.project;
    await manager.streams.purge(`KV_${names.leases}`);
    t.is(await contest.holder(gone), other);
  });

  test(name('entry that another version wrote: respected, then taken over'), async (t) => {
    await using server = await startServer({ binary: path });
    await using direct = await openTestProject(server);
    const revision = await direct.leases.put(key, new TextEncoder().encode('{"format":99}'), 0);
    await using contest = new Contest();
    const candidate = await contest.add(server);
    await contest.holder();
    t.true(candidate.lease.epoch > (revision ?? 0));
  });

  test(name('released while the server is away: done within a lease'), async (t) => {
    await using server = await startServer({ binary: path });
    await using contest = new Contest();
    const holder = await contest.add(server);
    await contest.holder();
    await server.kill('SIGKILL');
    await holder.lease.release();
    t.false(holder.lease.isHeld);
    await server.restart();
  });
}
