/** The faults of a storm: each strikes once, at random where and for how long. */
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenProject } from '../../broker/project.ts';
import { decodeRecord, type LeaseRecord } from '../../core/records.ts';
import type { Cast, Part } from './cast.ts';
import { killAndRestart, pause, type ServersUnderFire } from './servers-under-fire.ts';

/** Whom and what a blow can strike. */
export interface Battlefield {
  readonly random: () => number;
  readonly cast: Cast;
  readonly servers: ServersUnderFire;
  /** Opened without a proxy in between. */
  readonly project: OpenProject;
  readonly ackWaitMs: number;
  readonly note: (text: string) => void;
  /** A process was killed: how long until others have taken over is measured. */
  readonly killed: (pid: number, held: 'work' | 'lease') => void;
  /** All that was stored is gone. */
  readonly emptied: () => void;
}

export interface Blow {
  readonly name: string;
  /** How often it comes, compared to the others. */
  readonly weight: number;
  /** Only for one server (1), or three (3). */
  readonly servers?: number;
  readonly strike: (field: Battlefield) => Promise<void>;
}

function pick<T>({ random }: Battlefield, from: readonly T[]): T | undefined {
  return from[Math.floor(random() * from.length)];
}

/** From a moment to well over the ack wait and the lease. */
function someMs({ random, ackWaitMs }: Battlefield): number {
  return Math.floor(100 + random() ** 2 * 1.8 * ackWaitMs);
}

function kill(field: Battlefield, part: Part, held: 'work' | 'lease' = 'work'): void {
  field.note(`SIGKILL to ${part.name} (${part.pid})`);
  field.killed(part.pid, held);
  part.process.process.kill('SIGKILL');
}

async function stop(field: Battlefield, part: Part, ms: number): Promise<void> {
  const { process } = part.process;
  field.note(`SIGSTOP to ${part.name} (${part.pid}) for ${ms} ms`);
  process.kill('SIGSTOP');
  await delay(ms);
  process.kill('SIGCONT');
}

async function holderOf(field: Battlefield): Promise<Part | undefined> {
  const entry = await field.project.leases.get('dispatcher').catch(() => undefined);
  if (entry?.value === undefined) return undefined;
  return field.cast.partOf(decodeRecord<LeaseRecord>(entry.value, 'the lease').pid);
}

async function strikeLinks(
  field: Battlefield,
  doing: string,
  act: (proxy: Part['proxies'][number]) => void | Promise<void>,
): Promise<void> {
  const part = pick(field, field.cast.all());
  if (part === undefined) return;
  field.note(`${doing} the links of ${part.name}`);
  await Promise.all(part.proxies.map(async (proxy) => act(proxy)));
}

/** What processes say to the server at the points that matter; a process is struck right after it has said it. */
export function points(project: string): Readonly<Record<string, string>> {
  return {
    'after a result is put and before the ack': `PUB $KV.jugq-${project}-results.`,
    'after an ack': 'PUB $JS.ACK.',
    'in the middle of publishing': `PUB jugq.${project}.task.`,
    'when the lease is written': `PUB $KV.jugq-${project}-leases.`,
    'in the middle of storing a plan': `PUB $O.jugq-${project}-plans.C.`,
    'when a run is recorded': `PUB $KV.jugq-${project}-runs.`,
    'when a failure is recorded': `PUB $KV.jugq-${project}-failures.`,
    'in the middle of storing a large result': `PUB $O.jugq-${project}-blobs.C.`,
    'when a message is withdrawn': `PUB $JS.API.STREAM.MSG.DELETE.jugq-${project}-tasks`,
  };
}

const pointMs = 3000;

/** Waits for somebody to come to the point; undefined: nobody did in time. */
async function atPoint(field: Battlefield, text: string): Promise<Part | undefined> {
  const abort = new AbortController();
  const offs: (() => void)[] = [];
  const arrived = new Promise<Part>((resolve) => {
    for (const part of field.cast.all()) {
      for (const proxy of part.proxies) offs.push(proxy.whenSaid(text, () => resolve(part)));
    }
  });
  const late = delay(pointMs, undefined, { signal: abort.signal }).catch(() => undefined);
  try {
    return await Promise.race([arrived, late]);
  } finally {
    abort.abort();
    for (const off of offs) off();
  }
}

async function strikeAtPoint(
  field: Battlefield,
  strike: (part: Part) => void | Promise<void>,
): Promise<void> {
  const [where, text] = pick(field, Object.entries(points(field.project.names.project))) ?? [
    '',
    '',
  ];
  const part = await atPoint(field, text);
  if (part === undefined) return;
  field.note(`${part.name}: ${where}:`);
  await strike(part);
}

export const blows: readonly Blow[] = [
  {
    name: 'a worker is killed',
    weight: 5,
    strike: (field) => {
      const part = pick(field, field.cast.workers);
      if (part !== undefined) kill(field, part);
      return Promise.resolve();
    },
  },
  {
    name: 'a worker stands still',
    weight: 4,
    strike: async (field) => {
      const part = pick(field, field.cast.workers);
      if (part !== undefined) await stop(field, part, someMs(field));
    },
  },
  {
    name: 'whoever dispatches is killed',
    weight: 4,
    strike: async (field) => {
      const part = await holderOf(field);
      if (part !== undefined) kill(field, part, 'lease');
    },
  },
  {
    name: 'whoever dispatches stands still',
    weight: 4,
    strike: async (field) => {
      const part = await holderOf(field);
      if (part !== undefined) await stop(field, part, someMs(field));
    },
  },
  {
    name: 'the planner is killed',
    weight: 2,
    strike: (field) => {
      kill(field, field.cast.planner);
      return Promise.resolve();
    },
  },
  {
    name: 'the planner stands still',
    weight: 1,
    strike: async (field) => stop(field, field.cast.planner, someMs(field)),
  },
  {
    name: 'somebody is killed at a point',
    weight: 6,
    strike: (field) => strikeAtPoint(field, (part) => kill(field, part)),
  },
  {
    name: 'somebody stands still at a point',
    weight: 4,
    strike: (field) => strikeAtPoint(field, (part) => stop(field, part, someMs(field))),
  },
  {
    name: 'a server is killed and comes back',
    weight: 2,
    strike: async (field) => {
      const server = await field.servers.leader(`KV_${field.project.names.results}`);
      field.note(`SIGKILL to the server ${server.name}`);
      await killAndRestart(server, field.random() * 1500, { emptyStore: false });
      field.note(`the server ${server.name} is back`);
    },
  },
  {
    name: 'a server comes back with an empty store',
    weight: 0.15,
    servers: 1,
    strike: async (field) => {
      const [server] = field.servers.servers;
      if (server === undefined) return;
      field.note('the server is killed and loses its store');
      field.emptied();
      await killAndRestart(server, field.random() * 1500, { emptyStore: true });
      field.note('the server is back, empty');
    },
  },
  {
    name: 'a server stands still',
    weight: 1.5,
    strike: async (field) => {
      const server = await field.servers.leader(`KV_${field.project.names.results}`);
      const ms = someMs(field);
      field.note(`SIGSTOP to the server ${server.name} for ${ms} ms`);
      await pause(server, ms);
    },
  },
  {
    name: 'the links of a process are cut',
    weight: 4,
    strike: (field) => strikeLinks(field, 'cutting', (proxy) => proxy.cut()),
  },
  {
    name: 'the links of a process are held up',
    weight: 3,
    strike: (field) => {
      const ms = someMs(field);
      return strikeLinks(field, `holding up for ${ms} ms`, async (proxy) => {
        proxy.stall();
        await delay(ms);
        proxy.resume();
      });
    },
  },
  {
    name: 'the links of a process are half open',
    weight: 0.7,
    strike: (field) => strikeLinks(field, 'muting', (proxy) => proxy.mute()),
  },
  {
    name: 'the queue is deleted',
    weight: 0.3,
    strike: async (field) => {
      field.note('the stream of the queue is deleted');
      await field.project.manager.streams.delete(field.project.names.tasks);
    },
  },
  {
    name: 'a consumer is deleted',
    weight: 0.5,
    strike: async (field) => {
      field.note('the consumer of the queue is deleted');
      await field.project.manager.consumers.delete(field.project.names.tasks, 'queue-default');
    },
  },
];

/** A blow at random, the likelier the heavier. */
export function pickBlow(random: () => number, servers: number, only: string): Blow {
  const possible = blows.filter(
    (each) => (each.servers ?? servers) === servers && each.name.includes(only),
  );
  let at = random() * possible.reduce((sum, each) => sum + each.weight, 0);
  for (const blow of possible) {
    at -= blow.weight;
    if (at < 0) return blow;
  }
  throw new Error('there are blows');
}
