/** The entry of a thread that runs tasks. */
import { move } from 'piscina';
import { prepareForUserCode, runBatch as run } from './run-batch.ts';
import { linkToWorker } from './thread-link.ts';
import type { Batch } from './task-protocol.ts';

prepareForUserCode(linkToWorker());

let before: Promise<void> = Promise.resolve();

/** Runs a batch when the one before it has ended; the outcomes are moved, not copied. */
export async function runBatch(batch: Batch): Promise<Uint8Array> {
  const turn = before;
  let end: () => void = () => undefined;
  before = new Promise((resolve) => {
    end = resolve;
  });
  await turn;
  try {
    const outcomes = await run(batch);
    // A view is moved with all of the buffer behind it, and one of a shared pool not at all.
    return move(new Uint8Array(outcomes)) as Uint8Array;
  } finally {
    end();
  }
}
