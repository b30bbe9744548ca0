/**
 * Writes down the tasks that a jugfile declares, straight into the arrays of a graph.
 *
 * Guarantees: equal calls are one task; positions are topological; a call that cannot be hashed or stored leaves no
 * trace.
 */
import { toBase32 } from './base32.ts';
import { hashTask, type Identify } from './canonical.ts';
import { encodeArguments } from './codec.ts';
import { JugqError, invariant } from './errors.ts';
import type { FunctionFacts, Graph } from './graph.ts';
import { GrowingBytes, GrowingUint32 } from './growing.ts';
import { HashIndex, hashBytes, wordsPerHash } from './hash-index.ts';
import { taskId, type TaskId } from './identifiers.ts';
import {
  definitionOf,
  TaskHandle,
  type Declared,
  type Definition,
  type Evaluation,
  type Recorder,
} from './task.ts';

/** What stands in encoded arguments for a task (its place among the dependencies) or a task function (its name). */
export type Reference = number | string;

export class Recording implements Recorder, Evaluation {
  readonly definitions = new Map<string, Definition>();
  readonly recorder = this;
  readonly #positionOfFunction = new Map<Definition['run'], number>();
  readonly #functions: Definition[] = [];
  readonly #index = new HashIndex();
  readonly #hashes = new GrowingUint32();
  readonly #functionOf = new GrowingUint32();
  readonly #dependencyStart = new GrowingUint32();
  readonly #dependencies = new GrowingUint32();
  readonly #argumentStart = new GrowingUint32();
  readonly #argumentBytes = new GrowingBytes();
  readonly #progress: Int32Array;

  /** @param progress - its first number is kept at the count of tasks, for whoever watches from another thread */
  constructor(progress: Int32Array = new Int32Array(1)) {
    this.#progress = progress;
    this.#dependencyStart.push(0);
    this.#argumentStart.push(0);
  }

  get count(): number {
    return this.#functionOf.length;
  }

  /** The task functions that were called, in the order of their first call. */
  get functions(): readonly Definition[] {
    return this.#functions;
  }

  declare(definition: Definition, args: readonly unknown[]): Declared {
    const hash = hashTask(definition.name, definition.version, args, this.#identify);
    const words = toWords(hash);
    const known = this.#index.find(this.#hashes.numbers, words);
    if (known !== -1) return new DeclaredTask(this, known);
    const places = new Map<number, number>();
    const bytes = encodeArguments(args, (value) => this.#refer(value, places));
    return new DeclaredTask(this, this.#append(definition, words, places.keys(), bytes));
  }

  /** The id of the task at this position. */
  idAt(position: number): TaskId {
    const definition = this.#functions[this.#functionOf.numbers[position] ?? 0];
    invariant(definition && position < this.count, `no task at ${position.toString()}`);
    const { buffer } = this.#hashes.numbers;
    return taskId(definition.name, toBase32(new Uint8Array(buffer), position * hashBytes));
  }

  /** The finished graph. Its fingerprints are empty: whoever has the sources fills them in. */
  graph(): Graph {
    return {
      count: this.count,
      functions: this.#functions.map(facts),
      hashes: this.#hashes.toArray(),
      functionOf: this.#functionOf.toArray(),
      dependencies: { start: this.#dependencyStart.toArray(), items: this.#dependencies.toArray() },
      argumentStart: this.#argumentStart.toArray(),
      argumentBytes: this.#argumentBytes.toArray(),
    };
  }

  #append(
    definition: Definition,
    words: Uint32Array,
    dependencies: Iterable<number>,
    bytes: Uint8Array,
  ): number {
    const position = this.count;
    if (this.#argumentBytes.length + bytes.length > 0xffff_ffff) {
      throw new JugqError(
        'ARGUMENT_NOT_HASHABLE',
        `the arguments of all tasks together pass 4 GiB: ${definition.name}: let a task make the large value and pass that task`,
      );
    }
    for (const word of words) this.#hashes.push(word);
    this.#functionOf.push(this.#functionPosition(definition));
    for (const dependency of dependencies) this.#dependencies.push(dependency);
    this.#dependencyStart.push(this.#dependencies.length);
    this.#argumentBytes.append(bytes);
    this.#argumentStart.push(this.#argumentBytes.length);
    this.#index.add(this.#hashes.numbers, position);
    this.#progress[0] = position + 1;
    return position;
  }

  #functionPosition(definition: Definition): number {
    const known = this.#positionOfFunction.get(definition.run);
    if (known !== undefined) return known;
    this.#positionOfFunction.set(definition.run, this.#functions.length);
    return this.#functions.push(definition) - 1;
  }

  #refer(value: object, places: Map<number, number>): Reference | undefined {
    if (!(value instanceof TaskHandle)) return definitionOf(value)?.name;
    const { position } = value.declared;
    invariant(position < this.count, `task ${value.id} is not of this recording`);
    const place = places.get(position) ?? places.size;
    places.set(position, place);
    return place;
  }

  readonly #identify: Identify = (value) => {
    if (value instanceof TaskHandle) return { kind: 'task', id: value.id };
    const definition = definitionOf(value);
    return definition && { kind: 'function', name: definition.name };
  };
}

const wordsScratch = new Uint32Array(wordsPerHash);
const bytesScratch = new Uint8Array(wordsScratch.buffer);

function toWords(hash: Uint8Array): Uint32Array {
  invariant(hash.length === hashBytes, 'a hash has 20 bytes');
  bytesScratch.set(hash);
  return wordsScratch;
}

/** The id is made on demand: most tasks of a large plan are never asked for theirs. */
class DeclaredTask implements Declared {
  readonly position: number;
  readonly #recording: Recording;

  constructor(recording: Recording, position: number) {
    this.#recording = recording;
    this.position = position;
  }

  get id(): TaskId {
    return this.#recording.idAt(this.position);
  }
}

function facts(definition: Definition): FunctionFacts {
  return {
    name: definition.name,
    queue: definition.queue,
    retries: definition.retries,
    ...(definition.timeoutMs === undefined ? {} : { timeoutMs: definition.timeoutMs }),
    fingerprint: '',
  };
}
