/**
 * The results: written once, read in a pipeline, followed as the events that let dependents go.
 *
 * The value of a key is the CBOR of the result and nothing else. What is known about the attempt stands in one header,
 * because a header costs every put, every event and every scan: `Jugq-Result: <worker> <ms> <attempt> <fingerprint>
 * <digest>`. A result over the limit of a message is a blob, and its value the reference (`Jugq-Blob: 1`).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager, Msg, NatsConnection, StreamInfo } from 'nats';
import type { Graph } from '../core/graph.ts';
import { isFunctionName, type TaskId } from '../core/identifiers.ts';
import type { KnownResult, PastResults, StreamPlace } from '../core/known-results.ts';
import type { BlobReference } from '../core/parcel.ts';
import type { ResultNews } from '../core/heard-results.ts';
import { pack, unpack } from '../core/wire.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import type { Blobs } from './blobs.ts';
import { isMarker } from './bucket.ts';
import { NewsFollower } from './follow-news.ts';
import { follow, type Followed, type Following } from './follow.ts';
import { learnResults, type ResultsSource } from './known-results.ts';
import { HeaderText, readHeaders, writeHeaders, type HeaderReader } from './message-headers.ts';
import { isNotFound, isTransient, toJugqError } from './nats-errors.ts';
import { patiently } from './patience.ts';
import type { Publisher, PublishOutcome } from './publisher.ts';
import { factsIn, headersOf, holdsReference, type ResultFacts } from './result-facts.ts';
import { NewsTeller } from './result-news.ts';
import { replicasOf, streamInfo } from './stream-state.ts';
import { bucketStream, keySubject, type Names } from './topology.ts';

/** The last entry of a result's key. */
export interface ResultEntry {
  readonly id: TaskId;
  readonly revision: number;
  /** False: a delete marker. */
  readonly present: boolean;
  readonly facts: ResultFacts | undefined;
}

/** An entry together with its bytes. */
export interface StoredResult extends ResultEntry {
  /** The message's own bytes: CBOR of the value, or of a reference to a blob. */
  readonly data: Uint8Array;
  readonly isBlob: boolean;
  /** Revision that its put expected: of two results that expected the same one, both had the same inputs. */
  readonly expected: number;
  /** ISO 8601, by the server's clock. */
  readonly storedAt: string;
}

const expectHeader = 'Nats-Expected-Last-Subject-Sequence';
const markerHeader = 'KV-Operation';
/** Room for subject and headers in a message of the server's `max_payload`. */
const messageOverhead = 4096;
const getTimeoutMs = 5000;
const retryMs = 200;

export class Results {
  readonly bucket: string;
  readonly #stream: string;
  readonly #prefix: string;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #publisher: Publisher;
  readonly #blobs: Blobs;
  readonly #replicas: () => Promise<number>;
  readonly #newsSubject: string;
  readonly #news: NewsTeller;

  constructor(
    names: Pick<Names, 'project' | 'results'>,
    parts: {
      connection: NatsConnection;
      manager: JetStreamManager;
      publisher: Publisher;
      blobs: Blobs;
    },
  ) {
    this.bucket = names.results;
    this.#stream = bucketStream(this.bucket);
    this.#prefix = keySubject(this.bucket, '');
    this.#newsSubject = `jugq.${names.project}.stored`;
    this.#news = new NewsTeller(this.#newsSubject, { ...parts, stream: this.#stream });
    this.#connection = parts.connection;
    this.#manager = parts.manager;
    this.#publisher = parts.publisher;
    this.#blobs = parts.blobs;
    this.#replicas = replicasOf(parts.manager, this.#stream);
  }

  /** Bytes that fit a message on this server. */
  get inlineBytesMax(): number {
    return (this.#connection.info?.max_payload ?? 1024 * 1024) - messageOverhead;
  }

  /**
   * Puts a result, expecting the given revision: whoever comes second is refused.
   *
   * @param value - CBOR of the result, or the reference to the blob that holds it
   */
  put(
    result: { id: TaskId; value: Uint8Array | BlobReference; facts: ResultFacts; expects: number },
    settle: (outcome: PublishOutcome) => void,
  ): void {
    const { value } = result;
    const isInline = value instanceof Uint8Array;
    const all = headersOf(result.facts, !isInline);
    all[expectHeader] = result.expects.toString();
    const payload = isInline ? value : pack(value);
    const { id, facts } = result;
    const subject = this.#prefix + id;
    const { home } = this.#news;
    this.#publisher.send({ subject, payload, headers: writeHeaders(all) }, (outcome) => {
      if (outcome.kind === 'stored')
        this.#news.tell(home, { id, revision: outcome.sequence, present: true, ms: facts.ms });
      settle(outcome);
    });
  }

  /** Leaves a delete marker, expecting the given revision; undefined: whatever is there. */
  async mark(id: TaskId, expects?: number): Promise<PublishOutcome> {
    const { home } = this.#news;
    const outcome = await this.#publisher.publish({
      subject: this.#prefix + id,
      payload: new Uint8Array(),
      headers: writeHeaders({
        ...(expects === undefined ? {} : { [expectHeader]: expects.toString() }),
        [markerHeader]: 'DEL',
      }),
    });
    if (outcome.kind === 'stored')
      this.#news.tell(home, { id, revision: outcome.sequence, present: false, ms: undefined });
    return outcome;
  }

  /**
   * An entry of a key that was its last; undefined: it had none. Calls may be made many at a time.
   *
   * Any replica may answer, from as much as it has: where there are several, what was put or marked since may not be
   * known to it, and the answer after this one may be older. For those who can tell by the revision, or only want to
   * know that a value was there; see `readLast`.
   */
  async read(id: TaskId): Promise<StoredResult | undefined> {
    const subject = `$JS.API.DIRECT.GET.${this.#stream}.${this.#prefix}${id}`;
    const answer = await this.#request(subject, id);
    if (answer.headers?.code === 404) return undefined;
    const all = readHeaders(answer);
    const sequence = Number(all?.get('Nats-Sequence'));
    const storedAt = all?.get('Nats-Time-Stamp') ?? '';
    return { ...this.#stored(id, sequence, all, answer.data), storedAt };
  }

  /**
   * The last entry of a key; undefined: it never had one. Calls may be made many at a time.
   *
   * For those who conclude from what is not there, or would take a value that was marked since for one that counts.
   */
  async readLast(id: TaskId): Promise<StoredResult | undefined> {
    const doing = `reading ${this.bucket}`;
    const replicas = await patiently(this.#connection, doing, this.#replicas, Infinity);
    return replicas > 1 ? this.readFromLeader(id) : this.read(id);
  }

  /** As `readLast`, by the word of the stream's leader even where one replica is all that there is. */
  async readFromLeader(id: TaskId): Promise<StoredResult | undefined> {
    const subject = `$JS.API.STREAM.MSG.GET.${this.#stream}`;
    const request = JSON.stringify({ last_by_subj: this.#prefix + id });
    for (;;) {
      const { data } = await this.#request(subject, id, request);
      const { message, error } = JSON.parse(new TextDecoder().decode(data)) as LeaderAnswer;
      if (message !== undefined) {
        const bytes = new Uint8Array(Buffer.from(message.data ?? '', 'base64'));
        const stored = this.#stored(id, message.seq, parseHeaders(message.hdrs), bytes);
        return { ...stored, storedAt: message.time };
      }
      const { err_code: code = 0, description = '' } = error ?? {};
      if (isNotFound(code)) return undefined;
      // A leader is being elected: the question stands.
      if (!isTransient(code)) {
        throw toJugqError({ kind: 'refused', code, description }, `reading the result of ${id}`);
      }
      await delay(retryMs);
    }
  }

  /**
   * CBOR of a stored result, fetched from its blob if it is one.
   *
   * @throws JugqError `VALUE_CORRUPT` if the blob is gone or damaged
   */
  async valueOf(stored: StoredResult): Promise<Uint8Array> {
    if (!stored.isBlob) return stored.data;
    const bytes = await this.#blobs.get(blobOf(stored)).catch((error: unknown) => {
      if (isJugqError(error, 'VALUE_CORRUPT')) return undefined;
      throw error;
    });
    if (bytes !== undefined) return bytes;
    // Planning alone would not help: by its head, the result is there.
    throw new JugqError(
      'VALUE_CORRUPT',
      `the large result of ${stored.id} is gone or damaged: drop it with jugq invalidate ${stored.id}, then plan again`,
    );
  }

  /**
   * What is there of the tasks of a graph, values and markers: all that was there when it was called. Where there are
   * replicas, one that lags does not have the last word.
   *
   * @param past - what was there at some time, of the same graph
   */
  async known(graph: Graph, past?: PastResults): Promise<KnownResult[]> {
    const information = await this.#information();
    const source: ResultsSource = {
      connection: this.#connection,
      manager: this.#manager,
      stream: this.#stream,
      prefix: this.#prefix,
      information,
      readLast: (id) =>
        information.config.num_replicas > 1 ? this.readFromLeader(id) : this.read(id),
    };
    return learnResults(source, graph, past);
  }

  /** Ids of tasks with a value whose id begins so, sorted. */
  async idsWithPrefix(prefix: string): Promise<TaskId[]> {
    const dot = prefix.lastIndexOf('.');
    const functionName = prefix.slice(0, Math.max(dot, 0));
    // Nothing begins so, and the server would not understand the question.
    if (dot !== -1 && !isFunctionName(functionName)) return [];
    const found = new Set<TaskId>();
    const following = follow(this.#connection, this.#manager, {
      stream: this.#stream,
      from: 1,
      headersOnly: true,
      subjects: [`${this.#prefix}${dot === -1 ? '' : `${functionName}.`}>`],
      onMessage: (message) => {
        const id = message.subject.slice(this.#prefix.length) as TaskId;
        if (!id.startsWith(prefix)) return;
        if (isMarker(message.headers)) found.delete(id);
        else found.add(id);
      },
      onReplaced: () => {
        found.clear();
      },
    });
    await following.caughtUp;
    following.stop();
    return [...found].sort();
  }

  /** Follows the heads of entries from a revision on. */
  follow(from: number, onEntry: (entry: ResultEntry) => void, onReplaced?: () => void): Following {
    return follow(this.#connection, this.#manager, {
      stream: this.#stream,
      from,
      headersOnly: true,
      onMessage: (message) => {
        onEntry(this.#headIn(message));
      },
      ...(onReplaced === undefined ? {} : { onReplaced }),
    });
  }

  /**
   * Follows what is stored from a revision on, without gaps but in no order, and far cheaper than `follow` where much is
   * stored. What somebody has stored who tells nothing, or has died since, comes up to a second later; after a quiet
   * time, six.
   *
   * @param onReplaced - the stream was lost, or came back with less: nothing that was heard holds any more
   */
  followNews(
    from: number,
    onNews: (news: ResultNews) => void,
    onReplaced: () => void,
  ): { stop(): void } {
    return new NewsFollower(this.#connection, this.#manager, {
      stream: this.#stream,
      subject: this.#newsSubject,
      from,
      onNews,
      read: (message) => newsOf(this.#headIn(message)),
      onReplaced,
    });
  }

  /** Revision of the last entry of all. */
  async lastRevision(): Promise<number> {
    return (await this.place()).revision;
  }

  /** Where the stream stands. */
  async place(): Promise<StreamPlace> {
    const { state } = await this.#information();
    return { revision: state.last_seq, storedAt: state.last_ts };
  }

  #information(): Promise<StreamInfo> {
    return patiently(this.#connection, `reading ${this.bucket}`, () =>
      streamInfo(this.#manager, this.#stream),
    );
  }

  async #request(subject: string, id: TaskId, body = ''): Promise<Msg> {
    for (;;) {
      try {
        const answer = await this.#connection.request(subject, body, { timeout: getTimeoutMs });
        if (answer.headers === undefined || answer.headers.code < 408) return answer;
      } catch (error) {
        // The server is away or elects a leader: the connection says so, and the question stands.
        if (!isTransient(error) || this.#connection.isClosed()) {
          throw toJugqError(error, `reading the result of ${id}`);
        }
      }
      await delay(retryMs);
    }
  }

  #stored(
    id: TaskId,
    revision: number,
    all: HeaderReader | undefined,
    data: Uint8Array,
  ): Omit<StoredResult, 'storedAt'> {
    const expected = Number(all?.get(expectHeader) ?? '');
    return { ...this.#entry(id, revision, all), data, isBlob: holdsReference(all), expected };
  }

  #headIn({ subject, sequence, headers }: Followed): ResultEntry {
    return this.#entry(subject.slice(this.#prefix.length) as TaskId, sequence, headers);
  }

  #entry(id: TaskId, revision: number, all: HeaderReader | undefined): ResultEntry {
    return { id, revision, present: !isMarker(all), facts: factsIn(all) };
  }
}

/** What an entry says to those who do not ask who made it. */
export function newsOf({ id, revision, present, facts }: ResultEntry): ResultNews {
  return { id, revision, present, ms: facts?.ms };
}

/** The name of the blob that holds a large result. */
export function blobOf({ id, data }: StoredResult): string {
  return (unpack(data, `the result of ${id}`) as BlobReference).blob;
}

interface LeaderAnswer {
  readonly message?: {
    readonly seq: number;
    readonly time: string;
    readonly hdrs?: string;
    readonly data?: string;
  };
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

/** Headers as `STREAM.MSG.GET` gives them: base64 of the lines as they were sent. */
function parseHeaders(text: string | undefined): HeaderReader | undefined {
  return text === undefined ? undefined : new HeaderText(Buffer.from(text, 'base64').toString());
}
