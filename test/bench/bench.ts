/**
 * `npm run bench [-- name…] [--json]`: how fast jugq is, as ratios to the bare server on the same machine in the same
 * minute, and beside other systems if they are asked for. Reports what it finds; nothing fails because it is slow, only because it is wrong.
 *
 * Rounds go over all workloads, so that what changes on the machine changes all of them; within a round the floor is
 * measured next to its workload, now before, now after it.
 */
import { parseArgs } from 'node:util';
import { testServers } from '../kit/servers.ts';
import { formatFigures, summarise, type Measured } from './figures.ts';
import { describeMachine, type Machine } from './machine.ts';
import { millionWorkloads } from './million-workloads.ts';
import { formatPeers, measurePeers } from './peers/peers.ts';
import { peerWorks, type PeerWork } from './peers/peer-work.ts';
import { planningWorkloads } from './planning-workloads.ts';
import { sleepingWorkloads } from './sleeping-workloads.ts';
import { standingWorkloads } from './standing-workloads.ts';
import { taskWorkloads } from './task-workloads.ts';
import type { Workload } from './workload.ts';

const workloads: readonly Workload[] = [
  ...taskWorkloads,
  ...sleepingWorkloads,
  ...planningWorkloads,
  ...standingWorkloads,
  ...millionWorkloads,
];

// What was started ends when this process exits, which a signal alone does not make it do in order.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
}
await main();

async function main(): Promise<void> {
  const { values: flags, positionals: wanted } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  });
  const chosen = choose(wanted);
  const [server] = await testServers();
  if (server === undefined) throw new Error('no nats-server to measure with: run "npm run setup"');
  const machine = await describeMachine(server);
  if (!flags.json) console.log(formatMachine(machine));
  else for (const warning of machine.warnings) console.error(`! ${warning}`);
  const measured = await measureAll(chosen.workloads, server.path);
  const peers = chosen.peers.length === 0 ? [] : await measurePeers(chosen.peers, server.path);
  if (flags.json) {
    console.log(JSON.stringify({ machine, workloads: measured, peers }, undefined, 2));
    return;
  }
  if (measured.length > 0) console.log(formatFigures(measured));
  if (peers.length > 0) console.log(formatPeers(peers));
}

async function measureAll(chosen: readonly Workload[], binary: string): Promise<Measured[]> {
  const all = chosen.map((workload) => ({
    workload,
    jugq: new Array<number>(),
    floor: new Array<number>(),
  }));
  const rounds = Math.max(0, ...chosen.map(({ repeats }) => repeats));
  for (let round = 0; round < rounds; round++) {
    for (const { workload, jugq, floor } of all) {
      if (round >= workload.repeats) continue;
      if (process.stderr.isTTY) console.error(`${workload.name}, round ${round + 1}`);
      const steps = [
        async () => jugq.push(...(await workload.measure(binary))),
        async () => workload.floor && floor.push(await workload.floor(binary)),
      ];
      if (round % 2 === 1) steps.reverse();
      for (const step of steps) await step();
    }
  }
  return all.map(({ workload, jugq, floor }) => summarise(workload, jugq, floor));
}

/** What is to be measured. */
interface Chosen {
  readonly workloads: readonly Workload[];
  /** jugq beside others. */
  readonly peers: readonly PeerWork[];
}

/** Without names all that are neither long nor of peers; a name may be the beginning of several. */
function choose(names: readonly string[]): Chosen {
  const all = [...workloads, ...peerWorks].map(({ name }) => name);
  for (const name of names) {
    if (all.some((each) => each.startsWith(name))) continue;
    console.error(`no workload ${name}: there are ${all.join(', ')}`);
    process.exit(2);
  }
  if (names.length === 0) {
    return { workloads: workloads.filter(({ isLong }) => isLong !== true), peers: [] };
  }
  const isNamed = (each: { readonly name: string }): boolean =>
    names.some((name) => each.name.startsWith(name));
  return { workloads: workloads.filter(isNamed), peers: peerWorks.filter(isNamed) };
}

function formatMachine(machine: Machine): string {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.system}`,
    `jugq ${machine.commit}, Node ${machine.node}, nats-server ${machine.natsServer}`,
    machine.store,
    ...machine.warnings.map((warning) => `! ${warning}`),
    '',
  ].join('\n');
}
