/** The entry of a child process that runs one suspect task at a time, away from everything else. */
import { prepareForUserCode, runBatch } from './run-batch.ts';
import { childReady, type Batch } from './task-protocol.ts';
import { WorkerLink, type LinkReply } from './thread-link.ts';

// Taken before the one that only ends an attempt is put in its place.
const exit = process.exit.bind(process);
const link = new WorkerLink((message) => process.send?.(message));
prepareForUserCode(link);
process.on('message', (message: Batch | LinkReply) => {
  if ('kind' in message) link.take(message);
  else void runBatch(message).then((outcomes) => process.send?.(outcomes));
});
// The worker is gone: nobody wants the outcome.
process.on('disconnect', () => exit(0));
// A terminal's Ctrl-C reaches every process: the worker decides what becomes of the task.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
// From here on, what ends this process is a task's doing.
process.send?.(childReady);
