import test from 'ava';
import { decodeParcel } from '../../core/parcel.ts';
import { CodeFiles } from '../../worker/code-files.ts';
import type { HeldParcel } from '../../worker/held-parcels.ts';
import { Preparation } from '../../worker/preparation.ts';
import type { WorkerContext } from '../../worker/worker-context.ts';
import { idFor, parcelFor } from '../kit/project.ts';

/** A parcel of one task as a worker holds it. */
function heldParcel(): HeldParcel {
  const parcel = decodeParcel(parcelFor('odd', 1));
  return {
    delivery: { deliveries: 2 } as HeldParcel['delivery'],
    ...{ parcel, takenAt: 0, left: parcel.tasks.length, started: false, aliveAt: 0 },
    ...{ ends: undefined, gone: false, answered: false },
  };
}

function preparationIn(context: unknown): Preparation {
  const { project } = context as WorkerContext;
  const ready = { add: () => undefined, pump: () => undefined };
  return new Preparation(context as WorkerContext, new CodeFiles(project, '/nowhere'), ready);
}

test('an input is missing and the server has no room for the marker: one try, and it is told', async (t) => {
  let marks = 0;
  const input = { id: idFor('odd', 2), revision: 3 };
  const refusal = { kind: 'refused', code: 10023, description: 'insufficient resources' };
  const preparation = preparationIn({
    project: {
      results: {
        readLast: () => Promise.resolve(undefined),
        readFromLeader: () => Promise.resolve(undefined),
        mark: () => {
          marks++;
          return Promise.resolve(refusal);
        },
      },
    },
    inputs: { read: () => Promise.resolve({ kind: 'missing', ...input, marked: false }) },
    held: { settle: () => t.fail('nothing was decided') },
    trace: () => undefined,
  });
  const held = heldParcel();
  const [task] = held.parcel.tasks;
  if (task === undefined) throw new Error('a parcel has a task');
  const wanting = { ...task, inputs: [input] };
  await t.throwsAsync(preparation.prepareTask(held, wanting), { code: 'SERVER_FULL' });
  t.is(marks, 1);
});

test('a message that is recalled while its tasks are looked up: nothing of it is published or begun', async (t) => {
  const held = heldParcel();
  const two = [...held.parcel.tasks, ...decodeParcel(parcelFor('odd', 2)).tasks];
  const suspect: HeldParcel = { ...held, parcel: { ...held.parcel, tasks: two } };
  const preparation = preparationIn({
    project: {
      results: { readLast: () => Promise.resolve(undefined) },
      failures: {
        get: () => {
          suspect.gone = true;
          return Promise.resolve(undefined);
        },
      },
      queue: { publish: () => t.fail('it was recalled') },
    },
    held: { settle: () => t.fail('nothing was decided') },
    trace: () => undefined,
  });
  await preparation.prepareSuspect(suspect, 'default');
  t.pass();
});
