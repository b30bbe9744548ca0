/**
 * Gives a message back that nobody has begun with, so that it accuses nobody.
 *
 * A negative acknowledgement would count as a delivery, and whoever gets what was delivered before has to suspect that it
 * ended its worker: each of its tasks would be looked up, published by itself and run in a process of its own. So the
 * message is taken out of the queue and published anew. Nothing is lost if this worker ends in between: the dispatcher
 * misses the message at its next sweep, and publishes what has neither result nor failure.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenProject } from '../broker/project.ts';
import type { Delivery } from '../broker/pull.ts';
import type { QueueOutcome } from '../broker/queue.ts';
import type { TaskId } from '../core/identifiers.ts';

/** What was acknowledged may be on its way out of the stream still. */
const triesMax = 20;
const retryMs = 50;

/**
 * Publishes a message anew; resolves when it is in the queue, or left to the server or the dispatcher to bring back.
 *
 * @param delivery - its first one, young enough that nobody else has another
 */
export async function handBackAnew(
  { queue }: Pick<OpenProject, 'queue'>,
  delivery: Delivery,
  head: TaskId,
): Promise<void> {
  // Without the server's word it may be there still, and comes to somebody when its ack wait is over.
  if (!(await delivery.remove())) return;
  const message = { head, queue: delivery.queue, payload: delivery.data };
  for (let tries = 0; tries < triesMax; tries++) {
    const outcome = await new Promise<QueueOutcome>((settle) => {
      queue.publish(message, settle);
    });
    if (outcome !== 'occupied') return;
    await delay(retryMs);
  }
}
