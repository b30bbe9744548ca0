/** Short storms, with seeds that stay: `npm run test:faults` runs long ones. */
import test from 'ava';
import { testServers } from '../kit/servers.ts';
import { runStorm } from './storm.ts';

const [server] = await testServers();
const threads = 4;
const waits = { everyMs: 400, threads, ackWaitMs: 2000, leaseMs: 1000 };

for (const { seed, shape, size } of [
  { seed: 1, shape: 'wild', size: 1 },
  { seed: 2, shape: 'flood', size: 3 },
] as const) {
  const on = size === 1 ? 'one server' : 'three servers';
  test.serial(
    `storm: seed ${seed}, ${shape} on ${on}: ends as a sequential run does`,
    async (t) => {
      t.timeout(240_000);
      const binary = server?.path ?? '';
      const report = await runStorm({ ...waits, seed, shape, size, binary, tasks: 250, blows: 12 });
      t.deepEqual(report.wrongs, [], report.story.join('\n'));
      t.true(report.executions >= 250);
    },
  );
}
