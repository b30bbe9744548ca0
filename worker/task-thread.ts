/** The entry of a thread that runs tasks. */
import { move } from 'piscina';
import { prepareForUserCode, runBatch as run } from './run-batch.ts';
import { linkToWorker } from './thread-link.ts';
import type { Batch } from './task-protocol.ts';

prepareForUserCode(linkToWorker());

/** Runs a batch; the outcomes are moved, not copied. */
export async function runBatch(batch: Batch): Promise<Uint8Array> {
  const outcomes = await run(batch);
  // A view is moved with all of the buffer behind it, and one of a shared pool not at all.
  return move(new Uint8Array(outcomes)) as Uint8Array;
}
