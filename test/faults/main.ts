/**
 * The long run of the fault suite: one storm after the other until the time is up.
 *
 * `npm run test:faults -- --minutes 10 --seed 1 [--server PATH] [--servers 1|3] [--tasks 5000] [--blows 100]`; with
 * `--only killed` just those blows fall whose name has that in it, and `--ack-wait 15000 --lease 5000` are a user's waits.
 *
 * Each storm has a seed of its own, which is printed; one that ends badly prints its story, and the status is 1.
 */
import { parseArgs } from 'node:util';
import { shapes } from '../jugfiles/storm/shapes.ts';
import { testServers } from '../kit/servers.ts';
import { runStorm, type StormReport } from './storm.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    server: { type: 'string' },
    servers: { type: 'string' },
    shape: { type: 'string' },
    tasks: { type: 'string', default: '5000' },
    blows: { type: 'string', default: '100' },
    every: { type: 'string', default: '900' },
    only: { type: 'string', default: '' },
    'ack-wait': { type: 'string', default: '3000' },
    lease: { type: 'string', default: '1500' },
  },
});
// So that whatever runs ends with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
const binary = values.server ?? (await testServers())[0]?.path ?? '';
const until = performance.now() + Number(values.minutes) * 60_000;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
let failed = 0;
let storms = 0;
let struck = 0;
for (let seed = Number(values.seed); storms === 0 || performance.now() < until; seed++) {
  const shape =
    shapes.find((each) => each === values.shape) ?? shapes[seed % shapes.length] ?? 'wild';
  // Every third storm has a cluster, unless one kind was asked for.
  const size =
    values.servers === undefined ? (seed % 3 === 2 ? 3 : 1) : values.servers === '3' ? 3 : 1;
  const report = await runStorm({
    seed,
    shape,
    size,
    binary,
    tasks: Number(values.tasks),
    blows: Number(values.blows),
    everyMs: Number(values.every),
    threads: 6,
    only: values.only,
    ackWaitMs: Number(values['ack-wait']),
    leaseMs: Number(values.lease),
  });
  storms++;
  struck += report.blows;
  const { wrongs } = report;
  const servers = size === 1 ? 'one server' : 'three servers';
  say(
    `seed ${seed}: ${shape} on ${servers}: ${wrongs.length === 0 ? 'well' : 'BADLY'}, ${factsOf(report)}`,
  );
  if (wrongs.length === 0) continue;
  failed++;
  say([...report.story, ...wrongs].join('\n'));
}
say(`${storms} storms, ${struck} faults, ${failed} ended badly`);
process.exit(failed === 0 ? 0 : 1);

function factsOf({ blows, executions, hash, ms, recovered }: StormReport): string {
  const longest = (all: readonly number[]): string =>
    all.length === 0 ? 'none' : `${(Math.max(...all) / 1000).toFixed(1)} s of ${all.length}`;
  return [
    `${blows} faults`,
    `${executions} executions`,
    `${(ms / 1000).toFixed(0)} s`,
    `longest until a killed worker's tasks were taken up ${longest(recovered.work)}`,
    `until another dispatched ${longest(recovered.lease)}`,
    `results ${hash}`,
  ].join(', ');
}
