/**
 * News of results: words in which whoever has stored results says so to those who follow them, many results in one.
 *
 * Following the stream itself costs the server, and whoever follows, a message for each result: a fifth of all that a tiny
 * task costs. A word is kept nowhere and may be lost, and the stream is what counts: whoever hears words reads from the
 * stream what no word was heard of (`follow-news.ts`).
 *
 * A word must not outlive what it speaks of. It says when its stream was created, and it is left unsaid where the put was
 * sent before that was known, or before the connection was lost and came back: a server that has crashed may have come
 * back with less. The client itself sends nothing of what was written to a connection that is gone.
 */
import type { JetStreamManager, NatsConnection } from 'nats';
import type { TaskId } from '../core/identifiers.ts';
import type { ResultNews } from '../core/heard-results.ts';
import { onReconnect } from './reconnects.ts';
import { streamInfo } from './stream-state.ts';

/** What a word says of an entry. */
interface Told {
  readonly id: TaskId;
  readonly revision: number;
  /** How long the function ran; undefined: the entry is a marker. */
  readonly ms: number | undefined;
}

/** The stream, as it was found on a connection that has not been lost since. */
interface Found {
  readonly created: string;
}

/** A word has to fit a message, whatever the server's limit: what it says is told when it is longer than this. */
const wordLengthMax = 200_000;
const lookEveryMs = 30_000;
const retryMs = 1000;
const wordFormat = '1';
const markerMs = '-';

/** Says what has been stored; all that one turn of the event loop brings in one word. */
export class NewsTeller {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  readonly #subject: string;
  #found: Found | undefined;
  #look = 0;
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
    void this.#learn();
    onReconnect(this.#connection, () => {
      this.#find(undefined);
      void this.#learn();
    });
    // Somebody may have made the stream anew without a word.
    const timer = setInterval(() => void this.#learn(), lookEveryMs).unref();
    void this.#connection.closed().then(() => {
      clearInterval(timer);
    });
  }

  /** Where what is sent now is going to be stored; to be given to `tell` when it is. */
  get found(): Found | undefined {
    return this.#found;
  }

  /** Says that something was stored, unless it may have been stored in a stream that is not there any more. */
  tell(found: Found | undefined, { id, revision, ms }: Told): void {
    if (found === undefined || found !== this.#found) return;
    if (this.#lines === '')
      queueMicrotask(() => {
        this.#flush();
      });
    this.#lines += `\n${revision.toString()} ${ms?.toFixed(3) ?? markerMs} ${id}`;
    if (this.#lines.length > wordLengthMax) this.#flush();
  }

  #flush(): void {
    const lines = this.#lines;
    this.#lines = '';
    if (lines === '' || this.#found === undefined || this.#connection.isClosed()) return;
    const word = `${wordFormat} ${this.#found.created}${lines}`;
    this.#connection.publish(this.#subject, Buffer.from(word, 'latin1'));
  }

  /** What was to be told of another stream is left unsaid. */
  #find(found: Found | undefined): void {
    this.#lines = '';
    this.#found = found;
  }

  async #learn(): Promise<void> {
    const look = ++this.#look;
    while (look === this.#look && !this.#connection.isClosed()) {
      try {
        const { created } = await streamInfo(this.#manager, this.#stream);
        if (look === this.#look && created !== this.#found?.created) this.#find({ created });
        return;
      } catch {
        // The server is away, or the stream is being made: until it is found, others read what is stored.
        await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
      }
    }
  }
}

/**
 * Reads a word. What is not one, or of another format, says nothing.
 *
 * @param hear - called with each of the news, if the word is about the stream that was created then
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
    const news = readLine(text, at, next);
    if (news !== undefined) hear(news);
    at = next + 1;
  }
}

function readLine(text: string, from: number, to: number): ResultNews | undefined {
  const first = text.indexOf(' ', from);
  const second = text.indexOf(' ', first + 1);
  if (first === -1 || second === -1 || second >= to) return undefined;
  const revision = Number(text.slice(from, first));
  if (!Number.isSafeInteger(revision) || revision <= 0) return undefined;
  const time = text.slice(first + 1, second);
  const id = text.slice(second + 1, to) as TaskId;
  const present = time !== markerMs;
  return { id, revision, present, ms: present ? Number(time) : undefined };
}
