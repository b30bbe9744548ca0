/**
 * Shows the client's parser at once what it meets seldom: messages that were cut in two on their way, and the server's
 * question whether the client is there.
 *
 * The engine compiles the parser, which is large, for what it has seen. The first message that is cut comes just after
 * that and throws the work away, and so does the first that is cut elsewhere: in a worker's first second up to five
 * compilations in each thread with a connection, an eighth of all its processor time.
 */
import type { NatsConnection } from 'nats';

/** What the client's connections have beside their interface. */
interface ClientConnection {
  readonly protocol?: { readonly parser?: Partial<ClientParser> };
}

interface ClientParser {
  readonly state: number;
  parse(bytes: Uint8Array): void;
}

/** No message is begun. */
const atStart = 0;
/** So often that the engine begins to take notes. */
const rounds = 10;
/** Subscriptions count from 1: for this one nobody listens, and the client drops what comes. */
const nobody = 0;
const messages = [
  `MSG subject ${nobody} 6\r\nabcdef\r\n`,
  `MSG subject ${nobody} reply 6\r\nabcdef\r\n`,
  `HMSG subject ${nobody} reply 12 18\r\nNATS/1.0\r\n\r\nabcdef\r\n`,
];

/**
 * Primes the parser of a connection that has just been opened. Where the client is built otherwise than the one that this
 * was written for, or is in the middle of something, nothing is done.
 */
export function primeParser(connection: NatsConnection): void {
  const parser = (connection as ClientConnection).protocol?.parser;
  if (parser?.state !== atStart || parser.parse === undefined) return;
  for (let round = 0; round < rounds; round++) {
    for (const message of messages) {
      const bytes = Buffer.from(message);
      for (let cut = 1; cut < bytes.length; cut++) {
        parser.parse(bytes.subarray(0, cut));
        parser.parse(bytes.subarray(cut));
      }
    }
  }
  // The client answers this, which the server does not mind.
  parser.parse(Buffer.from('PING\r\n'));
  // And the server answers this. A connection that fails says so elsewhere.
  connection.flush().catch(() => undefined);
}
