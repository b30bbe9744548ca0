import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { isJugqError } from '../../core/errors.ts';
import { knownIn, pastResults } from '../../core/known-results.ts';
import { decodePlan, encodePlan, type Plan } from '../../core/plan-format.ts';
import { planFor } from './small-plans.ts';

const anyKnown = fc.record({
  task: fc.nat(),
  revision: fc.maxSafeNat(),
  present: fc.boolean(),
  stale: fc.boolean(),
});

const anyPlan = fc
  .record({
    takes: fc.array(fc.array(fc.nat(), { maxLength: 3 }), { maxLength: 9 }),
    code: fc.string(),
    queue: fc.string(),
    argumentBytes: fc.integer({ min: 0, max: 13 }),
    spilled: fc.array(fc.nat({ max: 8 }), { maxLength: 3 }),
    known: fc.option(fc.array(anyKnown, { maxLength: 5 }), { nil: undefined }),
  })
  .map(({ takes, code, queue, argumentBytes, spilled, known }): Plan => {
    const name = (at: number): string => `f${(at % 2).toString()} ${at.toString()}`;
    const sketch = Object.fromEntries(
      takes.map((each, at) => [name(at), at === 0 ? [] : each.map((one) => name(one % at))]),
    );
    const plan = planFor(sketch, { code, argumentBytes, queues: { f0: queue } });
    plan.graph.argumentBytes.forEach((_, at, bytes) => (bytes[at] = at * 7));
    const blob = { blob: 'somewhere', size: 9, digest: 'f00d' };
    const past =
      known === undefined ? {} : { past: pastResults({ revision: 9, storedAt: 'then' }, known) };
    return { ...plan, spilled: new Map(spilled.map((task) => [task, blob])), ...past };
  });

function bytesOf(plan: Plan): Uint8Array {
  return Buffer.concat(encodePlan(plan));
}

/** The same bytes at an odd place of a larger buffer. */
function shifted(bytes: Uint8Array, by: number): Buffer {
  const larger = Buffer.alloc(bytes.length + 16);
  larger.set(bytes, by);
  return larger.subarray(by, by + bytes.length);
}

testProp(
  'plan: written and read, from anywhere in a buffer: the same',
  [anyPlan, fc.integer({ min: 0, max: 15 })],
  (t, plan, by) => {
    t.deepEqual(decodePlan(shifted(bytesOf(plan), by)), plan);
  },
);

testProp(
  'plan: what was known of results: given back one by one',
  [fc.array(anyKnown)],
  (t, known) => {
    t.deepEqual([...knownIn(pastResults({ revision: 1, storedAt: '' }, known))], known);
  },
);

testProp(
  'plan: cut anywhere: refused as corrupt',
  [anyPlan, fc.double({ min: 0, max: 0.9999, noNaN: true })],
  (t, plan, share) => {
    const bytes = bytesOf(plan);
    const cut = bytes.subarray(0, Math.floor(bytes.length * share));
    const error = t.throws(() => decodePlan(cut));
    t.true(isJugqError(error, 'VALUE_CORRUPT'));
  },
);

testProp('plan: bytes that are none: refused as corrupt', [fc.uint8Array()], (t, bytes) => {
  const error = t.throws(() => decodePlan(bytes));
  t.true(isJugqError(error, 'VALUE_CORRUPT'));
});

for (const head of ['null', '1', '{}', '{"format":1}', '{"format":1,"lengths":[4],"spilled":[]}']) {
  test(`plan: the head ${head}: refused as corrupt`, (t) => {
    const text = new TextEncoder().encode(head);
    const bytes = new Uint8Array(64);
    new DataView(bytes.buffer).setUint32(0, text.length, true);
    bytes.set(text, 8);
    const error = t.throws(() => decodePlan(bytes));
    t.true(isJugqError(error, 'VALUE_CORRUPT'));
  });
}

test('plan: a format of another version: refused with both versions and the mend', (t) => {
  const bytes = Buffer.from(bytesOf(planFor({ 'f a': [] })));
  bytes.write('"format":9', bytes.indexOf('"format":1'));
  const error = t.throws(() => decodePlan(bytes));
  t.true(isJugqError(error, 'FORMAT_UNKNOWN'));
  t.regex(error.message, /^a plan has format 9, this jugq reads format 1: run the same version/);
});
