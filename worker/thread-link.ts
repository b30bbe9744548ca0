/**
 * The link between user code in a thread or child process and its worker, beside the batches: results that a jugfile
 * wants while it is imported, how far a task has come, and the word that a task is to end.
 */
import { MessageChannel, parentPort, type MessagePort } from 'node:worker_threads';
import type { PiecePlace } from '../broker/blobs.ts';
import { invariant, JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { TaskProgress } from '../core/records.ts';

/** The CBOR of each result, undefined where there is none. */
export type ReadResults = (ids: readonly TaskId[]) => Promise<(Uint8Array | undefined)[]>;

/** Some bytes of the CBOR of a result, and what to ask with for those behind them; undefined: there are none. */
export interface ResultPiece {
  readonly bytes: Uint8Array;
  readonly next: PiecePlace | undefined;
  /** Of the CBOR of the whole result; only in the first piece, and only of results whose facts are known. */
  readonly digest?: string | undefined;
}

/** The first piece of a result, or the one that `next` of another names; undefined: there is no such result. */
export type ReadPiece = (
  id: TaskId,
  next: PiecePlace | undefined,
) => Promise<ResultPiece | undefined>;

/** How user code gets at results. */
export interface ResultReader {
  readonly read: ReadResults;
  readonly readPiece: ReadPiece;
}

/** What a thread tells and asks. */
export type LinkMessage =
  | { readonly kind: 'read'; readonly question: number; readonly ids: readonly TaskId[] }
  | {
      readonly kind: 'read-piece';
      readonly question: number;
      readonly id: TaskId;
      readonly next: PiecePlace | undefined;
    }
  /** The task wants to be told when it is to end. */
  | { readonly kind: 'watch'; readonly task: TaskId }
  | { readonly kind: 'unwatch'; readonly task: TaskId }
  | ({ readonly kind: 'progress' } & TaskProgress);

/** What a thread is told. */
export type LinkReply =
  | {
      readonly kind: 'values';
      readonly question: number;
      readonly values: readonly (Uint8Array | undefined)[];
    }
  | {
      readonly kind: 'piece';
      readonly question: number;
      readonly piece: ResultPiece | undefined;
      /** Why it cannot be read, though there is a result. */
      readonly problem?: string;
    }
  | { readonly kind: 'end'; readonly task: TaskId; readonly reason: string };

type Answer = Exclude<LinkReply, { kind: 'end' }>;

/** The end of the link where user code runs. */
export class WorkerLink implements ResultReader {
  readonly #send: (message: LinkMessage) => void;
  readonly #questions = new Map<number, (answer: Answer) => void>();
  readonly #watched = new Map<TaskId, (reason: string) => void>();
  #asked = 0;

  constructor(send: (message: LinkMessage) => void) {
    this.#send = send;
  }

  readonly read: ReadResults = async (ids) => {
    const answer = await this.#ask((question) => ({ kind: 'read', question, ids }));
    return answer.kind === 'values' ? [...answer.values] : [];
  };

  /** @throws JugqError `VALUE_CORRUPT` */
  readonly readPiece: ReadPiece = async (id, next) => {
    const answer = await this.#ask((question) => ({ kind: 'read-piece', question, id, next }));
    if (answer.kind !== 'piece') return undefined;
    if (answer.problem !== undefined) throw new JugqError('VALUE_CORRUPT', answer.problem);
    return answer.piece;
  };

  /** Calls back once if the task is to end before `unwatch`. */
  watch(task: TaskId, onEnd: (reason: string) => void): void {
    this.#watched.set(task, onEnd);
    this.#send({ kind: 'watch', task });
  }

  unwatch(task: TaskId): void {
    if (this.#watched.delete(task)) this.#send({ kind: 'unwatch', task });
  }

  tellProgress(progress: TaskProgress): void {
    this.#send({ kind: 'progress', ...progress });
  }

  take(reply: LinkReply): void {
    if (reply.kind === 'end') {
      this.#watched.get(reply.task)?.(reply.reason);
    } else {
      this.#questions.get(reply.question)?.(reply);
      this.#questions.delete(reply.question);
    }
  }

  #ask(compose: (question: number) => LinkMessage): Promise<Answer> {
    const question = ++this.#asked;
    this.#send(compose(question));
    return new Promise((resolve) => this.#questions.set(question, resolve));
  }
}

interface RunningBatch {
  readonly tasks: readonly TaskId[];
  /** The same; made when a task of any batch asks to be watched, since most never do. */
  ids: ReadonlySet<TaskId> | undefined;
}

/** The end of all links of a worker. */
export class LinkHost {
  readonly #reader: ResultReader;
  readonly #running = new Set<RunningBatch>();
  /** Only tasks that run. */
  readonly #watched = new Map<TaskId, (reply: LinkReply) => void>();
  /** Only of tasks that are watched. */
  readonly #progress = new Map<TaskId, TaskProgress>();

  constructor(reader: ResultReader) {
    this.#reader = reader;
  }

  /** How far those tasks have come that say it. */
  get progress(): TaskProgress[] {
    return [...this.#progress.values()];
  }

  /**
   * Listens to the tasks of a batch for as long as it runs.
   *
   * A thread that dies takes no leave, and what it said last may arrive after the news of its death: so nothing of its
   * tasks is kept, and nothing more is taken.
   */
  async during<T>(tasks: readonly TaskId[], run: () => Promise<T>): Promise<T> {
    const batch: RunningBatch = { tasks, ids: undefined };
    this.#running.add(batch);
    try {
      return await run();
    } finally {
      this.#running.delete(batch);
      if (this.#watched.size > 0) this.#forgetEnded(tasks);
    }
  }

  /** Takes a message of a thread that `send` reaches. */
  take(message: LinkMessage, send: (reply: LinkReply) => void): void {
    switch (message.kind) {
      case 'read':
        void this.#answer(message.question, message.ids).then(send);
        break;
      case 'read-piece':
        void this.#answerPiece(message).then(send);
        break;
      case 'watch':
        if (!this.#isRunning(message.task)) break;
        this.#watched.set(message.task, send);
        // What an earlier attempt has said, whose thread died of it.
        this.#progress.delete(message.task);
        break;
      case 'unwatch':
        this.#watched.delete(message.task);
        this.#progress.delete(message.task);
        break;
      case 'progress': {
        const { kind: _, ...progress } = message;
        // One that is not watched has ended, or has been told to.
        if (this.#watched.has(message.task)) this.#progress.set(message.task, progress);
      }
    }
  }

  /**
   * Tells tasks that they are to end.
   *
   * @returns whether any of them listens, and so deserves a moment to do it
   */
  end(tasks: readonly TaskId[], reason: string): boolean {
    let listens = false;
    for (const task of tasks) {
      this.#progress.delete(task);
      const send = this.#watched.get(task);
      if (send === undefined) continue;
      this.#watched.delete(task);
      send({ kind: 'end', task, reason });
      listens = true;
    }
    return listens;
  }

  /** All tasks that listen. */
  get listening(): TaskId[] {
    return [...this.#watched.keys()];
  }

  #isRunning(task: TaskId): boolean {
    for (const batch of this.#running) {
      batch.ids ??= new Set(batch.tasks);
      if (batch.ids.has(task)) return true;
    }
    return false;
  }

  /** A task of which another attempt has begun already is that one's. */
  #forgetEnded(tasks: readonly TaskId[]): void {
    for (const task of tasks) {
      if (!this.#watched.has(task) || this.#isRunning(task)) continue;
      this.#watched.delete(task);
      this.#progress.delete(task);
    }
  }

  /** What cannot be read is not there: the thread finds a task that needs it unable to run. */
  async #answer(question: number, ids: readonly TaskId[]): Promise<LinkReply> {
    const none = ids.map(() => undefined);
    const values = await this.#reader.read(ids).catch(() => none);
    return { kind: 'values', question, values };
  }

  async #answerPiece({
    question,
    id,
    next,
  }: LinkMessage & { kind: 'read-piece' }): Promise<LinkReply> {
    try {
      const piece = await this.#reader.readPiece(id, next);
      return { kind: 'piece', question, piece };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      return { kind: 'piece', question, piece: undefined, problem };
    }
  }
}

/** What a thread sends when it begins: one end of the link. */
interface LinkOffer {
  readonly link: MessagePort;
}

/** The link of this thread to its worker. */
export function linkToWorker(): WorkerLink {
  invariant(parentPort !== null, 'tasks run in a thread');
  const { port1, port2 } = new MessageChannel();
  const link = new WorkerLink((message) => {
    port1.postMessage(message);
  });
  port1.on('message', (reply: LinkReply) => {
    link.take(reply);
  });
  // The pool decides how long the thread lives.
  port1.unref();
  const offer: LinkOffer = { link: port2 };
  parentPort.postMessage(offer, [port2]);
  return link;
}

/** Takes the end that a thread has offered. */
export function acceptLink(offer: unknown, host: LinkHost): void {
  const { link } = offer as LinkOffer;
  link.on('message', (message: LinkMessage) => {
    host.take(message, (reply) => {
      link.postMessage(reply);
    });
  });
  link.unref();
}
