/** What a task gets for its inputs: nothing that another argument shares. */
import test from 'ava';
import { encodeValue } from '../../core/codec.ts';
import type { StepReference, ValueReference } from '../../core/references.ts';
import { OwnCopies } from '../../worker/own-copies.ts';

const table = { rows: [{ x: [1] }, { x: [2] }], name: 'table' };

function resolved(...references: ValueReference[]): unknown[] {
  const copies = new OwnCopies([encodeValue(table)], () => (whole: typeof table) => whole.rows);
  return references.map((each) => copies.resolve(each));
}

const part = (...steps: StepReference[]): ValueReference => ({ of: 0, steps });

/** Objects in a value, itself among them. */
function objectsIn(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value).flatMap(objectsIn)];
}

const cases: Readonly<Record<string, readonly ValueReference[]>> = {
  'the whole, twice': [0, 0, 0],
  'the whole and a part': [0, part('rows', 0)],
  'a part and the whole': [part('rows', 1, 'x'), 0],
  'one part, twice': [part('rows', 0), part('rows', 0)],
  'a part and what is in it': [part('rows'), part('rows', 0, 'x')],
  'what is in a part, and the part': [part('rows', 0, 'x'), part('rows'), part('rows', 0)],
  'an item by split and by pick': [part('rows', { item: 0, count: 2 }), part('rows', 0)],
  'what a function makes of it, and a part': [part({ call: 'rows' }), part('rows', 0)],
  'a part, and what a function makes of it, twice': [
    part('rows', 0),
    part({ call: 'rows' }),
    part({ call: 'rows' }),
  ],
};

for (const [what, references] of Object.entries(cases)) {
  test(`copies: ${what}: share no object, and are what they were`, (t) => {
    const values = resolved(...references);
    const objects = values.flatMap(objectsIn);
    t.is(new Set(objects).size, objects.length);
    t.deepEqual(values[0], resolved(references[0] ?? 0)[0]);
  });
}

test('copies: parts beside each other: of one decoding', (t) => {
  const inputs = [encodeValue(table)];
  const copies = new OwnCopies(inputs, () => () => undefined);
  const first = copies.resolve(part('rows', 0));
  inputs[0] = new Uint8Array();
  t.deepEqual(
    [first, copies.resolve(part('rows', 1)), copies.resolve(part('name'))],
    [{ x: [1] }, { x: [2] }, 'table'],
  );
  t.throws(() => copies.resolve(part('rows', 1)));
});
