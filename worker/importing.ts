/**
 * One import of a bundle by a worker, for its functions alone: nothing is hashed and no graph is made, unless the
 * jugfile waits for values on its way.
 *
 * Such a jugfile comes as far as its values go. Functions that it declares behind a value that is missing yet cannot run
 * yet either; when a task of such a function comes, the value is there, and the import goes on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { decodeValue } from '../core/codec.ts';
import type { FileFacts } from '../core/files.ts';
import type { TaskId } from '../core/identifiers.ts';
import { choiceOf } from '../core/chunk-choice.ts';
import type { CachedCall, Planner, StageItems } from '../core/planning.ts';
import { functionNamed, PlainFunctions } from '../core/plain-functions.ts';
import { Recording } from '../core/recording.ts';
import {
  currentEvaluation,
  definitionOf,
  TaskHandle,
  type Definition,
  type Evaluation,
  type Source,
} from '../core/task.ts';
import { readBack } from './read-back.ts';
import { matchingFiles, SourceFiles } from './source-files.ts';
import type { ReadResults } from './thread-link.ts';

export class BundleImport implements Planner {
  readonly definitions = new Map<string, Definition>();
  readonly plainFunctions = new PlainFunctions();
  readonly #read: ReadResults;
  readonly #imported: Promise<void>;
  /** Made when the first value is asked for. */
  #recording: Recording | undefined;
  readonly #files = new SourceFiles();
  #reading = 0;
  #stuck: (() => void)[] = [];
  #tellStuck: () => void = () => undefined;
  #done = false;

  /** On disk. */
  readonly file: string;

  constructor(file: string, read: ReadResults) {
    this.file = file;
    this.#read = read;
    const { definitions, plainFunctions } = this;
    const evaluation: Evaluation = { definitions, plainFunctions, planner: this };
    this.#imported = currentEvaluation
      .run(evaluation, () => import(pathToFileURL(file).href) as Promise<Record<string, unknown>>)
      .then((module) => {
        for (const value of Object.values(module)) {
          const definition = definitionOf(value);
          if (definition !== undefined) this.definitions.set(definition.name, definition);
        }
        this.#done = true;
      });
    // Whoever looks for a function hears of it.
    this.#imported.catch(() => undefined);
  }

  /**
   * What a task function runs, or a plain function that is found by name; undefined if the jugfile has neither.
   *
   * A value that planning has seen may reach a replica of the server a moment later.
   *
   * @throws what the jugfile throws; JugqError `FUNCTION_CLASH`
   */
  async find(name: string): Promise<Source | undefined> {
    const until = performance.now() + lateMs;
    while (!(await this.#advance())) {
      if (functionNamed(this, name) !== undefined || performance.now() > until) break;
      await delay(againMs);
    }
    return functionNamed(this, name);
  }

  async value(x: unknown): Promise<unknown> {
    this.#recording ??= new Recording();
    const recording = this.#recording;
    const { bytes, dependencies } = recording.write([x]);
    const inputs = await this.#there(dependencies.map((each) => recording.idAt(each)));
    return readBack(bytes, inputs, this);
  }

  /** What comes behind it is declared by planning; here only functions matter. */
  barrier(): Promise<void> {
    return Promise.resolve();
  }

  async cached(call: CachedCall): Promise<unknown> {
    this.#recording ??= new Recording();
    const [bytes] = await this.#there([this.#recording.idOfCall(call)]);
    return decodeValue(bytes ?? new Uint8Array());
  }

  compound(definition: Definition, args: readonly unknown[]): TaskHandle {
    return new TaskHandle(definition, undefined, args);
  }

  /** Read only if a value depends on it. */
  fileAt(path: string, place: string): () => FileFacts {
    return () => this.#files.read(path, place);
  }

  async chunkSize(stage: StageItems): Promise<number> {
    return Number(await this.cached(choiceOf(stage)));
  }

  matches(pattern: string): string[] {
    return matchingFiles(pattern);
  }

  /** The results, as soon as they are all there. */
  async #there(ids: readonly TaskId[]): Promise<Uint8Array[]> {
    for (;;) {
      this.#reading++;
      const found = ids.length === 0 ? [] : await this.#read(ids);
      this.#reading--;
      const present = found.flatMap((each) => each ?? []);
      if (present.length === ids.length) return present;
      await new Promise<void>((goOn) => {
        this.#stuck.push(goOn);
        setImmediate(() => {
          if (this.#reading === 0) this.#tellStuck();
        });
      });
    }
  }

  /** Lets everything that is stuck look again, until the import is done (true) or everything is stuck again. */
  async #advance(): Promise<boolean> {
    if (this.#done) return true;
    const allStuck = new Promise<void>((resolve) => {
      this.#tellStuck = resolve;
    });
    for (const goOn of this.#stuck.splice(0)) goOn();
    return Promise.race([this.#imported.then(() => true), allStuck.then(() => false)]);
  }
}

const lateMs = 10_000;
const againMs = 100;
