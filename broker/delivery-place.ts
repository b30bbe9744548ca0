/**
 * What JetStream says of a delivery in its reply subject: which message it is, and how it came.
 *
 * @see ADR-15 of nats-architecture-and-design: 9 tokens, or 11 and more with domain and account.
 */

/** Where a delivery stands, in its stream and in its consumer. */
export interface DeliveryPlace {
  /** How often the message was delivered, this time included. */
  readonly deliveries: number;
  /** Of the message in its stream. */
  readonly sequence: number;
  /** Of the delivery among all that the consumer made. */
  readonly delivered: number;
  /** When the server stored the message, epoch ms of its clock. */
  readonly storedAt: number;
  /** Messages that the consumer has still to deliver. */
  readonly pending: number;
}

const prefix = '$JS.ACK.';

/** Whether a message with this reply subject is a delivery, and not a word of the consumer's about itself. */
export function isDelivery(reply: string | undefined): reply is string {
  return reply?.startsWith(prefix) === true;
}

/** Reads the reply subject of a delivery. */
export function readPlace(reply: string): DeliveryPlace {
  const tokens = reply.split('.');
  const first = tokens.length > 9 ? 6 : 4;
  const numberAt = (position: number): number => Number(tokens[first + position]);
  return {
    deliveries: numberAt(0),
    sequence: numberAt(1),
    delivered: numberAt(2),
    storedAt: numberAt(3) / 1e6,
    pending: numberAt(4),
  };
}
