/**
 * Follows the results by words instead of the stream's own messages: all that was stored from a sequence on, without gaps,
 * but in no order.
 *
 * Where no word is heard of an entry (who stored it has died, or tells nothing), the stream is read from there: soon, if
 * later ones have been heard of; else when a look at the stream has shown that it has more.
 */
import type { JetStreamManager, Msg, NatsConnection, StreamInfo, Subscription } from 'nats';
import { HeardResults, type ResultNews } from '../core/heard-results.ts';
import { outsideReading } from './callbacks.ts';
import { follow, type Followed, type Following } from './follow.ts';
import { isNotFound } from './nats-errors.ts';
import { onReconnect } from './reconnects.ts';
import { readWord } from './result-news.ts';
import { streamInfo } from './stream-state.ts';

export interface NewsOptions {
  readonly stream: string;
  /** On which words are said. */
  readonly subject: string;
  /** First sequence wanted. */
  readonly from: number;
  readonly onNews: (news: ResultNews) => void;
  /** What a message of the stream says. */
  readonly read: (message: Followed) => ResultNews;
  /** As for `follow`. */
  readonly onReplaced: () => void;
}

/** After this long an entry of which no word was heard is read, if later ones have been heard of. */
const gapMs = 200;
/** What is not told at all is seen after twice this time at the latest. */
const lookEveryMs = 500;

/** Follows until `stop`; errors on the way are retried for ever. */
export class NewsFollower {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #options: NewsOptions;
  readonly #subscription: Subscription;
  readonly #timer: NodeJS.Timeout;
  readonly #offReconnect: () => void;
  readonly #heard: HeardResults;
  /** When the stream was created; undefined until it was seen, and words that come before that are kept. */
  #created: string | undefined;
  readonly #unread: Uint8Array[] = [];
  /** Last sequence of the stream when it was looked at before. */
  #seen = 0;
  #looks = 0;
  #isLooking = false;
  #gap: NodeJS.Timeout | undefined;
  #reading: Following | undefined;
  #stopped = false;

  constructor(connection: NatsConnection, manager: JetStreamManager, options: NewsOptions) {
    this.#connection = connection;
    this.#manager = manager;
    this.#options = options;
    this.#heard = new HeardResults(options.from, (news) => {
      if (!this.#stopped) options.onNews(news);
    });
    const hear = outsideReading((message: Msg) => {
      this.#hear(message.data);
    });
    this.#subscription = connection.subscribe(options.subject, {
      callback: (error, message) => {
        if (error === null) hear(message);
      },
    });
    this.#timer = setInterval(() => {
      if (!this.#isLooking) void this.#look();
    }, lookEveryMs).unref();
    // What was asked before is not answered any more.
    this.#offReconnect = onReconnect(connection, () => void this.#look());
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#looks++;
    clearInterval(this.#timer);
    clearTimeout(this.#gap);
    this.#offReconnect();
    this.#reading?.stop();
    this.#reading = undefined;
    if (!this.#connection.isClosed()) this.#subscription.unsubscribe();
  }

  #hear(bytes: Uint8Array): void {
    if (this.#stopped) return;
    if (this.#created === undefined) {
      this.#unread.push(bytes);
      return;
    }
    readWord(bytes, this.#created, (news) => {
      this.#heard.hear(news);
    });
    this.#watchGap();
  }

  /** Later ones have been heard of: if what is missing does not come, it is read. */
  #watchGap(): void {
    if (!this.#heard.hasGap || this.#gap !== undefined || this.#reading !== undefined) return;
    const before = this.#heard.upTo;
    this.#gap = setTimeout(() => {
      this.#gap = undefined;
      if (this.#heard.upTo !== before) this.#watchGap();
      else if (this.#heard.hasGap) this.#read(this.#heard.highest);
    }, gapMs).unref();
  }

  async #look(): Promise<void> {
    const look = ++this.#looks;
    const { highest } = this.#heard;
    this.#isLooking = true;
    try {
      const stream = await streamInfo(this.#manager, this.#options.stream);
      if (look === this.#looks) this.#compare(stream, highest);
    } catch (error) {
      // Whatever else it is: the next look may tell.
      if (look === this.#looks && isNotFound(error)) this.#replace();
    } finally {
      if (look === this.#looks) this.#isLooking = false;
    }
  }

  /** @param highest - what had been heard of before the stream was asked for */
  #compare({ created, state: { last_seq: last } }: StreamInfo, highest: number): void {
    const other = this.#created !== undefined && this.#created !== created;
    if (other || last < highest) this.#replace();
    if (this.#stopped) return;
    if (this.#created === undefined) {
      this.#created = created;
      // Of what was there before words were heard, nobody's word is awaited.
      this.#seen = last;
      for (const bytes of this.#unread.splice(0)) this.#hear(bytes);
    }
    if (this.#seen > this.#heard.upTo) this.#read(this.#seen);
    this.#seen = last;
  }

  /** Forgets the stream that is gone, and says so. */
  #replace(): void {
    this.#reading?.stop();
    this.#reading = undefined;
    const seen = this.#created !== undefined || this.#heard.highest > 0;
    this.#created = undefined;
    this.#seen = 0;
    this.#heard.forget();
    if (seen) this.#options.onReplaced();
  }

  /** Reads what the stream has from the first that is missing on, up to one that it is known to have. */
  #read(upTo: number): void {
    if (this.#reading !== undefined) return;
    const { stream, read } = this.#options;
    const reading = follow(this.#connection, this.#manager, {
      stream,
      from: this.#heard.upTo + 1,
      headersOnly: true,
      onMessage: (message) => {
        if (reading !== this.#reading) return;
        this.#heard.hear(read(message));
      },
      onReplaced: () => {
        if (reading === this.#reading) this.#replace();
      },
    });
    this.#reading = reading;
    void reading.caughtUp
      .then(() => {
        if (reading !== this.#reading) return;
        this.#reading = undefined;
        this.#heard.readUpTo(upTo);
        this.#watchGap();
      })
      // The connection was closed.
      .catch(() => undefined)
      .finally(() => {
        reading.stop();
      });
  }
}
