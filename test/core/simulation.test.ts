/**
 * The dispatcher in a storm of faults, some thousand times.
 *
 * A seed that ends badly prints its story: everything that concerned the task in question. `SEED=n` runs that one
 * alone, and tells its story in any case.
 */
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { simulate, type Simulated } from './simulation/simulate.ts';
import type { BrokenRule } from './simulation/world.ts';

const batches = 15;
const seedsPerBatch = 200;
const storyLinesMax = 250;

const wanted = process.env['SEED'];
if (wanted === undefined) {
  for (let batch = 0; batch < batches; batch++) {
    const from = batch * seedsPerBatch + 1;
    const to = from + seedsPerBatch - 1;
    test.serial(
      `simulation: seeds ${from.toString()} to ${to.toString()}: every task comes to its end`,
      async (t) => {
        t.timeout(120_000);
        for (let seed = from; seed <= to; seed++) {
          // The test runner wants a sign of life now and then.
          if (seed % 20 === 0) await setImmediate();
          if (simulate(seed).violation === undefined) continue;
          // Notes cost time, so that only a seed that ends badly is run again with them.
          t.fail(tell(seed, simulate(seed, { tellsStory: true })));
          return;
        }
        t.pass();
      },
    );
  }
} else {
  test(`simulation: seed ${wanted}: every task comes to its end`, (t) => {
    const simulated = simulate(Number(wanted), { tellsStory: true });
    t.log(tell(Number(wanted), simulated));
    t.is(simulated.violation, undefined);
  });
}

/**
 * Rules that were found by simulation, each with a seed that ends badly where nobody follows it. When the simulation
 * itself changes, look for another seed that does.
 */
const found: readonly (readonly [BrokenRule, number, RegExp])[] = [
  ['memory', 29, /made from invalidated inputs was accepted/],
  ['replica', 266, /made from invalidated inputs was accepted/],
  ['followers', 639, /made from invalidated inputs was accepted/],
  ['failures', 203, /is said to have failed: nothing in it has/],
  ['sweep', 43, /something waits for ever/],
  ['past', 19, /its result is undefined, a sequential run gives/],
];
for (const [rule, seed, story] of found) {
  test.serial(
    `simulation: seed ${seed.toString()} without the rule "${rule}": ends badly, with it: well`,
    (t) => {
      t.regex(simulate(seed, { without: rule }).violation?.message ?? 'it ended well', story);
      t.is(simulate(seed).violation, undefined);
    },
  );
}

test.serial('simulation: one seed twice: the same story', (t) => {
  const [one, two] = [0, 1].map(() => simulate(11, { tellsStory: true }).world.story);
  t.true((one?.length ?? 0) > 20);
  t.deepEqual(one, two);
});

test.serial('simulation: a hundred seeds: faults of every kind happen in them', (t) => {
  const texts = new Set<string>();
  for (let seed = 1; seed <= 100; seed++) {
    for (const { text } of simulate(seed, { tellsStory: true }).world.story) {
      for (const fault of faults) if (text.includes(fault)) texts.add(fault);
    }
  }
  t.deepEqual([...texts].sort(), [...faults].sort());
});

const faults = [
  'is killed',
  'is stopped',
  'has lost the lease',
  'dies of it',
  'is invalidated',
  'a user deletes the result',
  'is to be cancelled',
  'the server loses the queue',
  'the server loses the results',
  'published it: full',
  'published it: occupied',
  'puts its result: refused',
  'records a strike',
  'records a retry',
  'records a final',
  'misses',
  'publishes it by itself',
  'handed back anew: accepted',
  'leaves it out',
  'leaves it: it was marked since',
  'cannot follow',
  'rereads what it follows',
  'verifies it',
  'withdraws it',
  'clears its failure',
];

function tell(seed: number, { world, violation }: Simulated): string {
  const about = violation?.about;
  const lines = world.story
    .filter((each) => about === undefined || each.about === undefined || each.about === about)
    .map(({ at, about: task, text }) => {
      const whom = about === undefined && task !== undefined ? `${task}: ` : '';
      return `${Math.round(at).toString().padStart(7)} ${whom}${text}`;
    });
  const tasks = world.universe.tasks.map(
    ({ id, dependencies, nature }, at) =>
      `        ${at.toString()} ${id} ${nature}, takes ${dependencies.join() || 'nothing'}`,
  );
  return [
    `seed ${seed.toString()}: ${violation?.message ?? 'ended well'}${about === undefined ? '' : `: ${about}`}`,
    ...tasks,
    ...lines.slice(-storyLinesMax),
  ].join('\n');
}
