/**
 * A candidate for the lease in a process of its own, run by the test of the lease with the address of a server and the
 * length of the lease. It prints "act" as often as it can while it may act, "idle" when it may not any more, and "lost"
 * when it learns why.
 */
import { Lease } from '../../broker/lease.ts';
import { openTestProject } from '../kit/project.ts';

const [url = '', leaseMs = ''] = process.argv.slice(2);
const project = await openTestProject(url);
const lease = new Lease({
  bucket: project.leases,
  holder: 'child',
  leaseMs: Number(leaseMs),
  onAcquired: () => undefined,
  onLost: () => {
    console.log('lost');
  },
});
let acted = false;
setInterval(() => {
  if (lease.isHeld) console.log('act');
  else if (acted) console.log('idle');
  acted = lease.isHeld;
}, 1);
