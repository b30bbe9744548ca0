/**
 * The waits of one evaluation: asks the planner for values, and says when nothing can go on without one.
 *
 * It runs in the evaluating thread. While an answer is due the port keeps the thread alive; while all that is left are
 * values that do not exist yet, nothing does, so that Node itself tells (`beforeExit`) that the jugfile cannot go on.
 */
import type { MessagePort } from 'node:worker_threads';
import { decodeValue, encodeValue } from '../core/codec.ts';
import { currentBody, emptyBody } from '../core/expansions.ts';
import { contentId, type FileFacts } from '../core/files.ts';
import type { TaskId } from '../core/identifiers.ts';
import { chooseChunk, choiceOf } from '../core/chunk-choice.ts';
import type { CachedCall, Planner, StageItems } from '../core/planning.ts';
import type { PlanWait } from '../core/plan-format.ts';
import type { Recording, Snapshot } from '../core/recording.ts';
import { currentEvaluation, TaskHandle, type Definition } from '../core/task.ts';
import type { EvaluateAnswer, EvaluateReply } from './evaluate-protocol.ts';
import { readBack } from './read-back.ts';
import { matchingFiles, SourceFiles } from './source-files.ts';

/** A wait that could not be met when it was looked at. */
interface Stuck {
  readonly place: string;
  /** Positions in the recording, or how many from the first on. */
  readonly tasks: readonly number[] | number;
  readonly goOn: () => void;
}

/** User code that keeps the thread alive (a timer, a socket) is given so long to go on by itself. */
const quietMs = 500;
/** As for results: what is larger must lie where workers see it. */
const shippedBytesMax = 2 ** 30;

export class PlanningSession implements Planner {
  readonly #recording: Recording;
  readonly #port: MessagePort;
  readonly #onParked: (snapshot: Snapshot, waits: readonly PlanWait[]) => void;
  readonly #onError: (error: unknown) => void;
  readonly #questions = new Map<number, (answer: EvaluateAnswer) => void>();
  readonly #cached = new Map<TaskId, Promise<Uint8Array>>();
  readonly #took = new Map<string, Promise<number | undefined>>();
  readonly #bodies = new Set<Promise<void>>();
  readonly #files = new SourceFiles();
  readonly #shipsFiles: boolean;
  readonly #shipped = new Map<TaskId, Promise<void>>();
  #lastShipped = Promise.resolve();
  #looks: { readonly id: TaskId; readonly tell: (present: boolean) => void }[] = [];
  #stuck: readonly Stuck[] = [];
  #isParked = false;
  #asked = 0;

  constructor(options: {
    readonly recording: Recording;
    readonly port: MessagePort;
    /** Workers may be where the files are not. */
    readonly shipsFiles: boolean;
    readonly onParked: (snapshot: Snapshot, waits: readonly PlanWait[]) => void;
    /** An error of the user's that no promise of the jugfile's carries. */
    readonly onError: (error: unknown) => void;
  }) {
    this.#recording = options.recording;
    this.#port = options.port;
    this.#shipsFiles = options.shipsFiles;
    this.#onParked = options.onParked;
    this.#onError = options.onError;
    this.#port.on('message', (answer: EvaluateAnswer) => {
      this.#take(answer);
    });
    this.#port.unref();
    process.on('beforeExit', () => {
      this.#park();
    });
    this.#watchQuiet();
  }

  async value(x: unknown, place: string): Promise<unknown> {
    const written = this.#recording.write([x]);
    this.#recording.keep(written.dependencies);
    const ids = written.dependencies.map((each) => this.#recording.idAt(each));
    const seen = currentBody.getStore()?.seen;
    for (const each of written.dependencies) seen?.add(each);
    for (;;) {
      const inputs = ids.length === 0 ? [] : await this.#read(ids);
      const missing = written.dependencies.filter((_, at) => inputs[at] === undefined);
      if (missing.length === 0)
        return readBack(written.bytes, inputs, currentEvaluation.getStore());
      await this.#wait(place, missing);
    }
  }

  /** A compound's body waits for its own tasks: those around it may need its result. */
  async barrier(place: string): Promise<void> {
    const body = currentBody.getStore();
    const tasks = body === undefined ? this.#recording.count : [...body.called];
    this.#recording.keep(tasks);
    if (tasks !== 0) await this.#wait(place, tasks);
  }

  async cached(call: CachedCall, compute: () => unknown): Promise<unknown> {
    const id = this.#recording.idOfCall(call);
    let bytes = this.#cached.get(id);
    if (bytes === undefined) {
      bytes = this.#recall(id, compute);
      this.#cached.set(id, bytes);
    }
    // A copy for each caller, so that none sees what another did to its own.
    return decodeValue(await bytes);
  }

  compound(definition: Definition, args: readonly unknown[], expand: () => unknown): TaskHandle {
    const { declared, isNew } = this.#recording.declareCompound(definition, args);
    const handle = new TaskHandle(definition, declared);
    if (isNew) this.#own(this.#expand(handle, expand));
    return handle;
  }

  fileAt(path: string, place: string): () => FileFacts {
    const facts = this.#files.read(path, place);
    const id = contentId(facts.digest);
    if (this.#shipsFiles && facts.size <= shippedBytesMax && !this.#shipped.has(id)) {
      const shipped = this.#ship(id, facts);
      this.#shipped.set(id, shipped);
      this.#own(shipped);
    }
    return () => facts;
  }

  async chunkSize(stage: StageItems): Promise<number> {
    const chosen = await this.cached(choiceOf(stage), async () =>
      chooseChunk(await this.#msEach(stage), stage),
    );
    return Number(chosen);
  }

  matches(pattern: string): string[] {
    return matchingFiles(pattern);
  }

  /** Resolves when all compounds are expanded that need to be, and all files are stored. */
  async expanded(): Promise<void> {
    while (this.#bodies.size > 0) await Promise.all(this.#bodies);
  }

  async #expand(handle: TaskHandle, expand: () => unknown): Promise<void> {
    if (await this.#look(handle.id)) return;
    const body = emptyBody();
    const structure = await currentBody.run(body, expand);
    this.#recording.fillCompound(handle.declared, structure, body);
  }

  /** Asked once for stretches that are planned together: it costs a look at all heads of results. */
  #msEach({ functions }: StageItems): Promise<number | undefined> {
    const [stage] = functions;
    const asked = this.#took.get(stage);
    if (asked !== undefined) return asked;
    const answer = this.#ask((question) => ({ kind: 'took', question, functions }))
      .then((took) => (took.kind === 'took' ? took.msEach : undefined))
      .finally(() => this.#took.delete(stage));
    this.#took.set(stage, answer);
    return answer;
  }

  #own(body: Promise<void>): void {
    const owned = body.catch(this.#onError).finally(() => this.#bodies.delete(owned));
    this.#bodies.add(owned);
  }

  async #recall(id: TaskId, compute: () => unknown): Promise<Uint8Array> {
    const [stored] = await this.#read([id]);
    if (stored !== undefined) return stored;
    const bytes = encodeValue(await compute());
    const answer = await this.#ask((question) => ({ kind: 'keep', question, id, bytes }));
    return (answer.kind === 'values' ? answer.values[0] : undefined) ?? bytes;
  }

  /** One content at a time is in memory. */
  async #ship(id: TaskId, facts: FileFacts): Promise<void> {
    if (await this.#look(id)) return;
    this.#lastShipped = this.#lastShipped.then(async () => {
      const content = this.#files.contentOf(facts);
      // Its task will say so, if it runs at all: who changes files while planning knows what for.
      if (content === undefined) return;
      const bytes = encodeValue(content);
      await this.#ask((question) => ({ kind: 'keep', question, id, bytes }));
    });
    await this.#lastShipped;
  }

  async #read(ids: readonly TaskId[]): Promise<readonly (Uint8Array | undefined)[]> {
    const answer = await this.#ask((question) => ({ kind: 'read', question, ids }));
    return answer.kind === 'values' ? answer.values : [];
  }

  /** Looks of one turn of the event loop are one question. */
  #look(id: TaskId): Promise<boolean> {
    if (this.#looks.length === 0) queueMicrotask(() => void this.#sendLooks());
    return new Promise((tell) => this.#looks.push({ id, tell }));
  }

  async #sendLooks(): Promise<void> {
    const looks = this.#looks;
    this.#looks = [];
    const ids = looks.map((each) => each.id);
    const answer = await this.#ask((question) => ({ kind: 'look', question, ids }));
    const present = answer.kind === 'presence' ? answer.present : [];
    looks.forEach(({ tell }, at) => {
      tell(present[at] ?? false);
    });
  }

  #ask(compose: (question: number) => EvaluateReply): Promise<EvaluateAnswer> {
    const question = ++this.#asked;
    this.#port.ref();
    this.#port.postMessage(compose(question));
    return new Promise((resolve) => this.#questions.set(question, resolve));
  }

  #wait(place: string, tasks: readonly number[] | number): Promise<void> {
    return new Promise((goOn) => {
      this.#stuck = [...this.#stuck, { place, tasks, goOn }];
    });
  }

  #take(answer: EvaluateAnswer): void {
    if (answer.kind === 'resume') {
      const met = answer.met.flatMap((at) => this.#stuck[at] ?? []);
      this.#stuck = this.#stuck.filter((each) => !met.includes(each));
      this.#isParked = false;
      for (const each of met) each.goOn();
    } else {
      this.#questions.get(answer.question)?.(answer);
      this.#questions.delete(answer.question);
    }
    // While it is parked, a question of what goes on by itself is answered, too: that must not end the thread.
    if (this.#questions.size === 0 && !this.#isParked) this.#port.unref();
  }

  #park(): void {
    if (this.#isParked || this.#questions.size > 0 || this.#stuck.length === 0) return;
    this.#isParked = true;
    // Until the answer, nothing else keeps the thread alive.
    this.#port.ref();
    const snapshot = this.#recording.snapshot();
    const waits = this.#stuck.map(({ place, tasks }) => ({
      place,
      tasks: typeof tasks === 'number' ? firstOf(tasks, snapshot) : tasks.map(snapshot.positionOf),
    }));
    this.#onParked(snapshot, waits);
  }

  #watchQuiet(): void {
    let count = -1;
    let asked = -1;
    setInterval(() => {
      if (count === this.#recording.count && asked === this.#asked) this.#park();
      count = this.#recording.count;
      asked = this.#asked;
    }, quietMs).unref();
  }
}

/** The first tasks of the recording may stand anywhere in the graph. */
function firstOf(count: number, snapshot: Snapshot): readonly number[] | number {
  return snapshot.isMoved
    ? Array.from({ length: count }, (_, position) => snapshot.positionOf(position))
    : count;
}
