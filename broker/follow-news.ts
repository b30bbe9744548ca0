/**
 * Follows the results by words instead of the stream's own messages: all that was stored from a sequence on, without gaps,
 * but in no order.
 *
 * Where no word is heard of an entry (who stored it has died, or tells nothing), the stream is read from there: soon, if
 * later ones have been heard of; else when a look at the stream has shown that it has more.
 */
import type { JetStreamManager, Msg, NatsConnection, StreamInfo, Subscription } from 'nats';
import { HeardResults, type ResultNews } from '../core/heard-results.ts';
import type { StreamPlace } from '../core/known-results.ts';
import { outsideReading } from './callbacks.ts';
import { follow, type Followed, type Following } from './follow.ts';
import { isNotFound } from './nats-errors.ts';
import { onReconnect } from './reconnects.ts';
import { readWord } from './result-news.ts';
import { isStill, streamInfo } from './stream-state.ts';

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
/** What is not told at all is read after twice this time at the latest. */
const lookEveryMs = 500;
/** Where nothing is stored, nobody need look often. */
const quietAfterMs = 10_000;
const quietLookEveryMs = 5000;
/** A look that has no answer by then is made again. */
const answerMs = 2000;
/** So many words are kept that came before the stream was seen. */
const earlyMax = 1000;

/** Follows until `stop`; errors on the way are retried for ever. */
export class NewsFollower {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #options: NewsOptions;
  readonly #subscription: Subscription;
  readonly #timer: NodeJS.Timeout;
  readonly #offReconnect: () => void;
  readonly #heard: HeardResults;
  #heardAt = performance.now();
  /** When the stream was created; undefined until it was seen. */
  #created: string | undefined;
  /** Words that came before that. */
  #early: Uint8Array[] = [];
  /** Where the stream stood at the look before. */
  #place: StreamPlace = { revision: 0, storedAt: '' };
  /** The server was away: it may be back with less. */
  #isInDoubt = false;
  #looks = 0;
  /** The last look that counts; an answer to an earlier one comes too late. */
  #answered = 0;
  #lookedAt = -Infinity;
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
      this.#lookIfDue();
    }, lookEveryMs).unref();
    this.#offReconnect = onReconnect(connection, () => {
      this.#isInDoubt = true;
      this.#answered = this.#looks;
      void this.#look();
    });
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#answered = Infinity;
    clearInterval(this.#timer);
    clearTimeout(this.#gap);
    this.#offReconnect();
    this.#reading?.stop();
    this.#reading = undefined;
    if (!this.#connection.isClosed()) this.#subscription.unsubscribe();
  }

  #hear(bytes: Uint8Array): void {
    if (this.#stopped) return;
    this.#heardAt = performance.now();
    if (this.#created === undefined) {
      // What is not kept is read.
      if (this.#early.length < earlyMax) this.#early.push(bytes);
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
      else if (this.#heard.hasGap) this.#read();
    }, gapMs).unref();
  }

  #lookIfDue(): void {
    const now = performance.now();
    const isQuiet = now - this.#heardAt > quietAfterMs;
    const isAnswered = this.#answered === this.#looks;
    const everyMs = !isAnswered ? answerMs : isQuiet ? quietLookEveryMs : 0;
    if (now - this.#lookedAt >= everyMs) void this.#look();
  }

  async #look(): Promise<void> {
    const look = ++this.#looks;
    this.#lookedAt = performance.now();
    const { highest } = this.#heard;
    try {
      const stream = await streamInfo(this.#manager, this.#options.stream);
      const isSame = await this.#isSame(stream, highest);
      if (look <= this.#answered) return;
      this.#answered = look;
      if (!isSame) this.#replace();
      // Another one is seen for the first time now.
      if (!this.#stopped) this.#see(stream);
    } catch (error) {
      if (look <= this.#answered) return;
      this.#answered = look;
      this.#isInDoubt = true;
      if (isNotFound(error)) this.#replace();
    }
  }

  /**
   * Whether the stream has all that is known of it.
   *
   * In a cluster the time of its creation is not always the same: a replica that was restarted has that of the last one who
   * asked for the stream.
   *
   * @param highest - what had been heard of before the stream was asked for
   */
  async #isSame(stream: StreamInfo, highest: number): Promise<boolean> {
    const { created, state } = stream;
    if (state.last_seq < Math.max(highest, this.#place.revision)) return false;
    if (this.#created === undefined) return true;
    if (created === this.#created && !this.#isInDoubt) return true;
    return isStill(this.#manager, stream, this.#place);
  }

  #see({ created, state }: StreamInfo): void {
    const isFirst = this.#created === undefined;
    // Of what was there before words were heard, nobody's word is awaited.
    const due = isFirst ? state.last_seq : this.#place.revision;
    this.#created = created;
    this.#place = { revision: state.last_seq, storedAt: state.last_ts };
    this.#isInDoubt = false;
    // What is not told at all is read after the next look: soon.
    if (state.last_seq > this.#heard.upTo) this.#heardAt = performance.now();
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.#hear(bytes);
    if (due > this.#heard.upTo) this.#read();
  }

  /** Forgets the stream that is gone, and says so unless nothing was known of it. */
  #replace(): void {
    this.#reading?.stop();
    this.#reading = undefined;
    const wasKnown = this.#created !== undefined || this.#heard.highest > 0;
    this.#created = undefined;
    this.#place = { revision: 0, storedAt: '' };
    this.#heard.forget();
    if (wasKnown) this.#options.onReplaced();
  }

  /** Reads what the stream has from the first that is missing on. */
  #read(): void {
    if (this.#reading !== undefined) return;
    const { stream, read } = this.#options;
    const reading = follow(this.#connection, this.#manager, {
      stream,
      from: this.#heard.upTo + 1,
      headersOnly: true,
      onMessage: (message) => {
        if (reading !== this.#reading) return;
        this.#heardAt = performance.now();
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
        this.#heard.readUpTo(reading.sequence);
        this.#watchGap();
      })
      // The connection was closed.
      .catch(() => undefined)
      .finally(() => {
        reading.stop();
      });
  }
}
