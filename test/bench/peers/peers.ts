/** jugq beside other systems, one after another in each round, so that what changes on the machine changes all of them. */
import { formatTable } from '../../../cli/table.ts';
import { medianAndSpread } from '../figures.ts';
import { bullmq } from './bullmq.ts';
import { jug } from './jug.ts';
import { jugqPeer } from './jugq-peer.ts';
import type { Peer, PeerWork } from './peer-work.ts';
import { pgBoss } from './pg-boss.ts';

const rounds = 3;

/** What was measured of one work. */
export interface MeasuredPeers {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  /** By system: the samples, none if it has no such thing; or why it could not be measured. */
  readonly systems: Readonly<Record<string, readonly number[] | string>>;
}

/** Measures all systems that are there, or can be put there. */
export async function measurePeers(
  works: readonly PeerWork[],
  binary: string,
): Promise<MeasuredPeers[]> {
  const peers = [jugqPeer(binary), bullmq, pgBoss, jug];
  const missing = new Map<Peer, string>();
  for (const peer of peers) {
    const why = await prepare(peer);
    if (why !== undefined) missing.set(peer, why);
  }
  const all = works.map((work) => ({ work, samples: new Map<Peer, number[]>() }));
  for (let round = 0; round < rounds; round++) {
    // Nobody is always the first on a machine that the one before has heated up.
    const turn = [...peers.slice(round % peers.length), ...peers.slice(0, round % peers.length)];
    for (const { work, samples } of all) {
      for (const peer of turn.filter((each) => !missing.has(each))) {
        if (process.stderr.isTTY) console.error(`${work.name}, ${peer.name}, round ${round + 1}`);
        const figure = await measure(peer, work);
        if (figure !== undefined) samples.set(peer, [...(samples.get(peer) ?? []), figure]);
      }
    }
  }
  return all.map(({ work: { name, what, unit }, samples }) => ({
    name,
    what,
    unit,
    systems: Object.fromEntries(
      peers.map((peer) => [peer.name, missing.get(peer) ?? samples.get(peer) ?? []]),
    ),
  }));
}

/** One line a work, one column a system; below it why a system is not there. */
export function formatPeers(all: readonly MeasuredPeers[]): string {
  const names = Object.keys(all[0]?.systems ?? {});
  const head = ['workload', 'what', 'unit', ...names];
  const rows = all.map(({ name, what, unit, systems }) => [
    name,
    what,
    unit,
    ...names.map((system) => formatCell(systems[system] ?? [])),
  ]);
  const missing = names.flatMap((system) => {
    const why = all[0]?.systems[system];
    return typeof why === 'string' ? [`! ${system} was not measured: ${why}`] : [];
  });
  return [formatTable(head, rows), ...missing].join('\n');
}

function formatCell(samples: readonly number[] | string): string {
  if (typeof samples === 'string') return 'not here';
  if (samples.length === 0) return 'no such thing';
  const [median, spread] = medianAndSpread(samples);
  return spread === '' ? median : `${median} (${spread})`;
}

/** A peer that cannot be had is told of and left out. */
async function prepare(peer: Peer): Promise<string | undefined> {
  try {
    return await peer.prepare();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @throws Error that names system and work */
async function measure(peer: Peer, work: PeerWork): Promise<number | undefined> {
  try {
    return await peer.measure(work);
  } catch (cause) {
    throw new Error(`${work.name}, ${peer.name}: it could not be measured`, { cause });
  }
}
