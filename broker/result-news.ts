/**
 * News of results: words in which whoever has stored results says so to those who follow them, many results in one.
 *
 * Following the stream itself costs the server, and whoever follows, a message for each result: a fifth of all that a tiny
 * task costs. A word is kept nowhere and may be lost, and the stream is what counts: whoever hears words reads from the
 * stream what no word was heard of (`follow-news.ts`).
 *
 * A word must not outlive what it speaks of. It says when its stream was created, and it is left unsaid where the put was
 * sent before that was known, or before the connection was lost and came back: a server that has crashed may have come
 * back with less.
 */
import type { JetStreamManager, NatsConnection } from 'nats';
import type { ResultNews } from '../core/heard-results.ts';
import { isTaskId } from '../core/identifiers.ts';
import { onReconnect } from './reconnects.ts';
import { streamInfo } from './stream-state.ts';

/** The stream that results go to, as it was found on a connection that has not been lost since. */
export interface Home {
  readonly created: string;
}

/** A word is said before it gets longer: a server whose messages are smaller than 512 KiB is refused. */
const wordLengthMax = 200_000;
const lookEveryMs = 30_000;
const retryMs = 1000;
const wordFormat = '1';
const isMarker = '-';
const isOfUnknownTime = '?';

/** Says what has been stored; all that one turn of the event loop brings in one word. */
export class NewsTeller {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  readonly #subject: string;
  #home: Home | undefined;
  #looks = 0;
  #lines = '';

  constructor(
    subject: string,
    parts: {
      readonly connection: NatsConnection;
      readonly manager: JetStreamManager;
      readonly stream: string;
    },
  ) {
    this.#subject = subject;
    this.#connection = parts.connection;
    this.#manager = parts.manager;
    this.#stream = parts.stream;
    void this.#look();
    onReconnect(this.#connection, () => {
      this.#settle(undefined);
      void this.#look();
    });
    // Somebody may have made the stream anew without a word.
    const timer = setInterval(() => void this.#look(), lookEveryMs).unref();
    void this.#connection.closed().then(() => {
      clearInterval(timer);
    });
  }

  /** Where what is sent now is going to be stored; to be given to `tell` when it has been. */
  get home(): Home | undefined {
    return this.#home;
  }

  /** Says that something was stored, unless that may have been in a stream that is not there any more. */
  tell(home: Home | undefined, { id, revision, present, ms }: ResultNews): void {
    if (home === undefined || home !== this.#home) return;
    if (this.#lines === '')
      queueMicrotask(() => {
        this.#say();
      });
    const time = present ? (ms?.toFixed(3) ?? isOfUnknownTime) : isMarker;
    this.#lines += `\n${revision.toString()} ${time} ${id}`;
    if (this.#lines.length > wordLengthMax) this.#say();
  }

  #say(): void {
    const lines = this.#lines;
    this.#lines = '';
    if (lines === '' || this.#home === undefined || this.#connection.isClosed()) return;
    const word = `${wordFormat} ${this.#home.created}${lines}`;
    this.#connection.publish(this.#subject, Buffer.from(word, 'latin1'));
  }

  /** What was to be told of another stream is left unsaid. */
  #settle(home: Home | undefined): void {
    this.#lines = '';
    this.#home = home;
  }

  async #look(): Promise<void> {
    const look = ++this.#looks;
    while (look === this.#looks && !this.#connection.isClosed()) {
      try {
        const { created } = await streamInfo(this.#manager, this.#stream);
        if (look === this.#looks && created !== this.#home?.created) this.#settle({ created });
        return;
      } catch {
        // The server is away, or the stream is being made: until it is found, others read what is stored.
        await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
      }
    }
  }
}

/**
 * Reads a word. What is not one, or of another format, or about another stream, says nothing.
 *
 * @param created - when the stream was created that one wants to hear of
 */
export function readWord(
  bytes: Uint8Array,
  created: string,
  hear: (news: ResultNews) => void,
): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const head = `${wordFormat} ${created}\n`;
  if (!text.startsWith(head)) return;
  for (let at = head.length; at < text.length;) {
    const end = text.indexOf('\n', at);
    const next = end === -1 ? text.length : end;
    const news = readLine(text.slice(at, next));
    if (news !== undefined) hear(news);
    at = next + 1;
  }
}

function readLine(line: string): ResultNews | undefined {
  const first = line.indexOf(' ');
  const second = line.indexOf(' ', first + 1);
  const revision = Number(line.slice(0, first));
  const time = line.slice(first + 1, second);
  const id = line.slice(second + 1);
  if (!Number.isSafeInteger(revision) || revision <= 0 || !isTaskId(id)) return undefined;
  if (time === isMarker) return { id, revision, present: false, ms: undefined };
  if (time === isOfUnknownTime) return { id, revision, present: true, ms: undefined };
  const ms = Number(time);
  return Number.isFinite(ms) && ms >= 0 ? { id, revision, present: true, ms } : undefined;
}
