/** The entry of a thread that runs tasks. */
import { move } from 'piscina';
import { prepareForUserCode, runBatch as run } from './run-batch.ts';
import type { Batch } from './task-protocol.ts';

prepareForUserCode();

/** Runs a batch; the outcomes are moved, not copied. */
export async function runBatch(batch: Batch): Promise<Uint8Array> {
  const outcomes = await run(batch);
  // A buffer out of a shared pool cannot be moved.
  const own = outcomes.byteLength === outcomes.buffer.byteLength ? outcomes : outcomes.slice();
  return move(own) as Uint8Array;
}
