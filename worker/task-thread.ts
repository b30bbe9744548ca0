/** The entry of a thread that runs tasks. */
import { prepareForUserCode, runBatch as run } from './run-batch.ts';
import { linkToWorker } from './thread-link.ts';
import type { Batch } from './task-protocol.ts';

prepareForUserCode(linkToWorker());

let before: Promise<void> = Promise.resolve();

/** Runs a batch when the one before it has ended. */
export async function runBatch(batch: Batch): Promise<Uint8Array> {
  const turn = before;
  let end: () => void = () => undefined;
  before = new Promise((resolve) => {
    end = resolve;
  });
  await turn;
  try {
    // A view is handed over with all of the buffer behind it, and one of a shared pool cannot be moved.
    const outcomes = new Uint8Array(await run(batch));
    return outcomes.length < movedFrom ? outcomes : await moved(outcomes);
  } finally {
    end();
  }
}

/** Bytes. Less is copied sooner than moved. */
const movedFrom = 64 * 1024;

/** As a return value that is moved to the worker's thread. The pool's package is of no other use here. */
async function moved(outcomes: Uint8Array): Promise<Uint8Array> {
  const { move } = await import('piscina');
  return move(outcomes) as Uint8Array;
}
