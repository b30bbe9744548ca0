/** Hands that take messages off the queue of a test's project as a worker does. */
import { Puller, type Delivery } from '../../broker/pull.ts';
import type { TestProject } from './project.ts';

/** The queue that the hands take from. */
export const queue = 'default';
/** Nothing comes again by itself while a test runs. */
const longMs = 120_000;

/** A worker's hands: it takes up to `capacity`, and holds until the test lets go. */
export interface Hands {
  readonly puller: Puller;
  readonly held: Delivery[];
  /** All that ever came. */
  readonly seen: Delivery[];
  readonly troubles: (Error | undefined)[];
  readonly setCapacity: (capacity: number) => void;
  readonly ackAll: () => void;
}

/** Starts to take messages. */
export function startHands(
  project: TestProject,
  capacity: number,
  options: {
    readonly onDelivery?: (hands: Hands) => void;
    readonly ackWaitMs?: number;
  } = {},
): Hands {
  const { onDelivery = () => undefined, ackWaitMs = longMs } = options;
  const held: Delivery[] = [];
  const seen: Delivery[] = [];
  const troubles: (Error | undefined)[] = [];
  let most = capacity;
  const puller = new Puller(project.connection, project.manager, project.names, {
    queue,
    ackWaitMs,
    onDelivery: (delivery) => {
      held.push(delivery);
      seen.push(delivery);
      puller.setRoom(most - held.length);
      onDelivery(hands);
    },
    onTrouble: (trouble) => troubles.push(trouble),
  });
  const hands: Hands = {
    puller,
    held,
    seen,
    troubles,
    setCapacity: (next) => {
      most = next;
      puller.setRoom(most - held.length);
    },
    ackAll: () => {
      for (const each of held.splice(0)) each.ack();
      puller.setRoom(most - held.length);
    },
  };
  puller.setRoom(capacity);
  return hands;
}
