/** How user code in a thread or child process of a worker asks that worker for results. */
import { MessageChannel, parentPort, type MessagePort } from 'node:worker_threads';
import { invariant } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';

/** The CBOR of each result, undefined where there is none. */
export type ReadResults = (ids: readonly TaskId[]) => Promise<(Uint8Array | undefined)[]>;

export interface LinkQuestion {
  readonly kind: 'read';
  readonly question: number;
  readonly ids: readonly TaskId[];
}

export interface LinkAnswer {
  readonly kind: 'values';
  readonly question: number;
  readonly values: readonly (Uint8Array | undefined)[];
}

/** What a thread sends when it begins: its end of the link is kept, the other is for its worker. */
interface LinkOffer {
  readonly link: MessagePort;
}

/** Asks over whatever carries messages. */
export class AskingEnd {
  readonly #send: (question: LinkQuestion) => void;
  readonly #open = new Map<number, (answer: LinkAnswer) => void>();
  #asked = 0;

  constructor(send: (question: LinkQuestion) => void) {
    this.#send = send;
  }

  readonly read: ReadResults = async (ids) => {
    const question = ++this.#asked;
    this.#send({ kind: 'read', question, ids });
    const answer = await new Promise<LinkAnswer>((resolve) => this.#open.set(question, resolve));
    return [...answer.values];
  };

  take(answer: LinkAnswer): void {
    this.#open.get(answer.question)?.(answer);
    this.#open.delete(answer.question);
  }
}

/** The link of this thread to its worker. */
export function linkToWorker(): ReadResults {
  invariant(parentPort !== null, 'tasks run in a thread');
  const { port1, port2 } = new MessageChannel();
  const end = new AskingEnd((question) => {
    port1.postMessage(question);
  });
  port1.on('message', (answer: LinkAnswer) => {
    end.take(answer);
  });
  // The pool decides how long the thread lives.
  port1.unref();
  const offer: LinkOffer = { link: port2 };
  parentPort.postMessage(offer, [port2]);
  return end.read;
}

/** Answers a thread that has offered a link. */
export function answerLink(offer: unknown, read: ReadResults): void {
  const { link } = offer as LinkOffer;
  link.on('message', (question: LinkQuestion) => {
    void answerTo(question, read).then((answer) => {
      link.postMessage(answer);
    });
  });
  link.unref();
}

/** What cannot be read is not there: the thread finds a task that needs it unable to run. */
export async function answerTo(question: LinkQuestion, read: ReadResults): Promise<LinkAnswer> {
  const none = question.ids.map(() => undefined);
  const values = await read(question.ids).catch(() => none);
  return { kind: 'values', question: question.question, values };
}
