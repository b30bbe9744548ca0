/** How a value takes the place of a reference. */
import test from 'ava';
import {
  asReference,
  functionsIn,
  placesIn,
  resolveReference,
  type PartReference,
  type StepReference,
} from '../../core/references.ts';

const from = (...inputs: unknown[]) => ({
  input: (place: number) => inputs[place],
  functionNamed: (name: string) => (x: number) => (name === 'inc' ? x + 1 : Promise.resolve(x)),
});

/** A part of the first input. */
const part = (...steps: StepReference[]): PartReference => ({ of: 0, steps });

const present: Readonly<Record<string, readonly [PartReference, readonly unknown[], unknown]>> = {
  'an index': [part(1), [[1, 2]], 2],
  'an index from the end': [part(-2), [[1, 2]], 1],
  'a length': [part('length'), [[1, 2]], 2],
  'a character': [part(-1), ['text'], 't'],
  'an item of a typed array': [part(0), [Float64Array.of(0.5)], 0.5],
  'a key': [part('a', 'b'), [{ a: { b: 3 } }], 3],
  'a key that is optional': [part('c'), [{ a: 1 }], undefined],
  'a key of a Map': [part('a'), [new Map([['a', 1]])], 1],
  'a numeric key of a Map': [part(1), [new Map([[1, 'one']])], 'one'],
  'a numeric key of an object': [part(7), [{ 7: 'seven' }], 'seven'],
  'a key that is null': [part('a'), [{ a: null }], null],
  'a key that all objects inherit': [part('constructor'), [{}], undefined],
  'an item of a whole that has so many': [part({ item: 1, count: 2 }), [[5, 6]], 6],
  'an input as the key': [part({ by: 1 }), [[5, 6], 1], 6],
  'a part of an input as the key': [
    part({ by: { of: 1, steps: ['k'] } }),
    [{ x: 5 }, { k: 'x' }],
    5,
  ],
  'what a function makes': [part(0, { call: 'inc' }, { call: 'inc' }), [[5]], 7],
};

for (const [what, [reference, inputs, value]] of Object.entries(present)) {
  test(`part: ${what}: is there`, (t) => {
    t.deepEqual(resolveReference(reference, from(...inputs)), value);
  });
}

const absent: Readonly<Record<string, readonly [PartReference, readonly unknown[], RegExp]>> = {
  'past the end': [part(2), [[1, 2]], /^result of a task has 2 items: there is no \[2\] in it: /],
  'before the beginning': [part(-3), [[1, 2]], /has 2 items: there is no \[-3\] in it/],
  'a name of an array': [part('map'), [[1, 2]], /has 2 items: there is no \.map in it/],
  'a key of null': [part('a', 'b'), [{ a: null }], /^result\.a of a task is null: there is no \.b/],
  'a key of a number': [part(0, 0), [[3]], /^result\[0\] of a task is 3: there is no \[0\]/],
  'an item of too few': [part({ item: 0, count: 2 }), [[1]], /cannot be split into 2/],
  'an item of too many': [part({ item: 0, count: 1 }), [[1, 2]], /cannot be split into 1/],
  'an item of what is no array': [part({ item: 0, count: 1 }), ['a'], /cannot be split into 1/],
  'a key that is no key': [
    part({ by: 1 }),
    [[1], 0.5],
    /expected a text or a whole number, got 0.5/,
  ],
};

for (const [what, [reference, inputs, message]] of Object.entries(absent)) {
  test(`part: ${what}: an error that says where and what there is`, (t) => {
    const error = t.throws(() => resolveReference(reference, from(...inputs)), {
      code: 'PART_MISSING',
    });
    t.regex(error.message, message);
  });
}

test('part: a function that derives it returns a promise: an error', (t) => {
  const error = t.throws(() => resolveReference(part({ call: 'late' }), from(1)), {
    code: 'USAGE',
  });
  t.regex(error.message, /^derive\(\): late returned a promise/);
});

test('reference: its places and functions are all found', (t) => {
  const key: PartReference = { of: 3, steps: [{ call: 'f' }] };
  const reference: PartReference = { of: 1, steps: ['a', { by: key }, { by: 2 }, { call: 'g' }] };
  t.deepEqual(placesIn(reference), [1, 3, 2]);
  t.deepEqual(functionsIn(reference), ['f', 'g']);
  t.deepEqual([placesIn(4), placesIn('h'), functionsIn(4), functionsIn('h')], [[4], [], [], ['h']]);
});

test('reference: what a newer version may have written: an error that says so', (t) => {
  t.throws(() => asReference({ whole: 1 }), { code: 'FORMAT_UNKNOWN' });
  t.throws(() => asReference(null), { code: 'FORMAT_UNKNOWN' });
});
