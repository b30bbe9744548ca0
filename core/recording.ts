/**
 * Writes down the tasks that a jugfile declares, straight into the arrays of a graph.
 *
 * Guarantees: equal calls are one task; positions are topological; a call that cannot be hashed or stored leaves no
 * trace.
 */
import { createHash } from 'node:crypto';
import { toBase32 } from './base32.ts';
import { hashTask, type Identify } from './canonical.ts';
import { encodeArguments } from './codec.ts';
import { JugqError, invariant } from './errors.ts';
import { currentBody, emptyBody, lastOf, type Expansion } from './expansions.ts';
import { argumentsOf, row, type FunctionFacts, type Graph } from './graph.ts';
import { rearrange, topologicalOrder } from './graph-order.ts';
import { GrowingBytes, GrowingUint32 } from './growing.ts';
import { HashIndex, hashBytes, wordsPerHash } from './hash-index.ts';
import { taskId, type TaskId } from './identifiers.ts';
import type { Reference } from './references.ts';
import { identify, isStandIn, refer, type Instead, type PlaceOf } from './stand-in.ts';
import {
  definitionOf,
  TaskHandle,
  type Declared,
  type Definition,
  type Evaluation,
  type Recorder,
} from './task.ts';
import { literalDefinition } from './wrapped.ts';

/** Values with references in them, as they travel. */
export interface Written {
  readonly bytes: Uint8Array;
  /** Positions of the tasks, in the order of the references' numbers. */
  readonly dependencies: readonly number[];
}

/** A graph of what was declared so far. */
export interface Snapshot {
  readonly graph: Graph;
  /** Compounds in the graph of which it is not known, or not needed, what they are made of. */
  readonly open: readonly number[];
  /** Those tasks of functions with `keep: false` that stay all the same, because planning asked for them. */
  readonly kept: readonly number[];
  /** Compounds that have been expanded. */
  readonly expansions: readonly Expansion[];
  /** Whether tasks stand in the graph in another order than they were declared in. */
  readonly isMoved: boolean;
  /** Where a task of the recording stands in the graph. */
  readonly positionOf: (position: number) => number;
}

const noBytes = new Uint8Array();
/** An argument larger than this is stored once if several tasks take it; one that is smaller travels with each. */
const literalBytes = 64 * 1024;

export class Recording implements Recorder, Evaluation {
  readonly definitions = new Map<string, Definition>();
  readonly recorder = this;
  readonly #positionOfFunction = new Map<string, number>();
  readonly #functions: Definition[] = [];
  readonly #index = new HashIndex();
  readonly #hashes = new GrowingUint32();
  readonly #functionOf = new GrowingUint32();
  readonly #dependencyStart = new GrowingUint32();
  readonly #dependencies = new GrowingUint32();
  readonly #argumentStart = new GrowingUint32();
  readonly #argumentBytes = new GrowingBytes();
  /** Compounds by position: what they are made of, or undefined while that is not known or not needed. */
  readonly #compounds = new Map<number, Written | undefined>();
  readonly #expansions: Expansion[] = [];
  /** Digests of large arguments that a task takes. */
  readonly #large = new Set<string>();
  readonly #progress: Int32Array;
  /** What planning has asked for: single tasks, and the first so many. */
  readonly #asked = new Set<number>();
  #askedFirst = 0;

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
    const hash = this.#hash(definition, args);
    const known = this.#index.find(this.#hashes.numbers, toWords(hash));
    if (known !== -1) return this.#called(known);
    const written = this.#writeCall(definition, args);
    return this.#called(this.#append(definition, hash, written));
  }

  /** That an argument is stored by itself changes no id: what counts of it is its value. */
  #writeCall(definition: Definition, args: readonly unknown[]): Written {
    const written = this.write(args);
    if (written.bytes.length <= literalBytes || definition === literalDefinition) return written;
    const shared = args.map((each) => this.#shared(each));
    return shared.some((each, at) => each !== args[at]) ? this.write(shared) : written;
  }

  /** A large value with nothing in it that stands for something else: from the second time on the task of a literal. */
  #shared(value: unknown): unknown {
    const standIns: object[] = [];
    const bytes = encodeArguments([value], (part) => {
      const name = isStandIn(part) ? '' : definitionOf(part)?.name;
      if (name !== undefined) standIns.push(part);
      return name;
    });
    if (standIns.length > 0 || bytes.length <= literalBytes) return value;
    const digest = createHash('sha256').update(bytes).digest('base64');
    if (this.#large.has(digest))
      return new TaskHandle(literalDefinition, this.declare(literalDefinition, [value]));
    this.#large.add(digest);
    return value;
  }

  /**
   * Writes a compound down, of which nothing but its identity is known yet.
   *
   * @returns the task, and whether it is the first call of it
   */
  declareCompound(
    definition: Definition,
    args: readonly unknown[],
  ): { readonly declared: Declared; readonly isNew: boolean } {
    const hash = this.#hash(definition, args);
    const known = this.#index.find(this.#hashes.numbers, toWords(hash));
    if (known !== -1) return { declared: this.#called(known), isNew: false };
    const position = this.#append(definition, hash, { bytes: noBytes, dependencies: [] });
    this.#compounds.set(position, undefined);
    return { declared: this.#called(position), isNew: true };
  }

  /**
   * Writes down what a compound is made of: what its body returned, and whatever else it called or looked at. So its
   * result is there only when all of these are finished, and goes with each of them.
   */
  fillCompound({ position }: Declared, structure: unknown, body = emptyBody()): void {
    const { bytes, dependencies } = this.write([structure]);
    const last = lastOf(body.called, (task) => this.#dependenciesAt(task));
    const all = new Set([...dependencies, ...body.seen, ...last]);
    this.#compounds.set(position, { bytes, dependencies: [...all] });
    this.#expansions.push({ compound: position, inner: [...body.called] });
  }

  /**
   * Values as a worker gets them: CBOR with references to the tasks in them, and the positions of those.
   *
   * @throws JugqError `VALUE_NOT_STORABLE`
   */
  write(args: readonly unknown[]): Written {
    const places = new Map<number, number>();
    const placeOf = (task: TaskHandle): number => this.#placeOf(task, places);
    const bytes = encodeArguments(args, (value) => this.#refer(value, placeOf));
    return { bytes, dependencies: [...places.keys()] };
  }

  /** A chain of tasks may be longer than the stack is deep. */
  #declareLate(handle: TaskHandle): void {
    const path = [handle];
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const before = undeclaredIn(last.undeclared ?? []);
      if (before.length > 0) {
        for (const each of before) path.push(each);
      } else {
        last.declareIn(this);
        path.pop();
      }
    }
  }

  /** Planning asks for these tasks, or for the first so many, and will ask again when the jugfile is read again. */
  keep(tasks: readonly number[] | number): void {
    if (typeof tasks === 'number') this.#askedFirst = Math.max(this.#askedFirst, tasks);
    else for (const task of tasks) this.#asked.add(task);
  }

  /** The id of a call that is no task of the graph. */
  idOfCall(call: {
    readonly name: string;
    readonly version: number | string | undefined;
    readonly args: readonly unknown[];
  }): TaskId {
    const hash = hashTask(call.name, call.version, call.args, this.#identify);
    return taskId(call.name, toBase32(hash));
  }

  /** The id of the task at this position. */
  idAt(position: number): TaskId {
    const definition = this.#functions[this.#functionOf.numbers[position] ?? 0];
    invariant(definition && position < this.count, `no task at ${position.toString()}`);
    const { buffer } = this.#hashes.numbers;
    return taskId(definition.name, toBase32(new Uint8Array(buffer), position * hashBytes));
  }

  /**
   * What was declared so far. Its fingerprints are empty: whoever has the sources fills them in.
   *
   * @throws JugqError `JUGFILE_THREW` if a compound consists of itself
   */
  snapshot(): Snapshot {
    const graph: Graph = {
      count: this.count,
      functions: this.#functions.map(facts),
      hashes: this.#hashes.toArray(),
      functionOf: this.#functionOf.toArray(),
      dependencies: { start: this.#dependencyStart.toArray(), items: this.#dependencies.toArray() },
      argumentStart: this.#argumentStart.toArray(),
      argumentBytes: this.#argumentBytes.toArray(),
    };
    const open = [...this.#compounds].flatMap(([at, made]) => (made === undefined ? [at] : []));
    const whole =
      this.#compounds.size === open.length
        ? { graph, isMoved: false, positionOf: (at: number) => at }
        : this.#withCompounds(graph);
    const { positionOf } = whole;
    const expansions = this.#expansions.map(({ compound, inner }) => ({
      compound: positionOf(compound),
      inner: inner.map(positionOf),
    }));
    const kept = this.#kept().map(positionOf);
    return { ...whole, open: open.map(positionOf), kept, expansions };
  }

  #kept(): number[] {
    if (this.#functions.every((each) => each.keep)) return [];
    const kept: number[] = [];
    for (let task = 0; task < this.count; task++) {
      const definition = this.#functions[this.#functionOf.numbers[task] ?? 0];
      if (definition?.keep !== false) continue;
      if (task < this.#askedFirst || this.#asked.has(task)) kept.push(task);
    }
    return kept;
  }

  /** A compound is made of tasks that were declared after it: it moves behind them. */
  #withCompounds(graph: Graph): Pick<Snapshot, 'graph' | 'isMoved' | 'positionOf'> {
    const dependencies = (task: number): ArrayLike<number> =>
      this.#compounds.get(task)?.dependencies ?? row(graph.dependencies, task);
    const bytes = (task: number): Uint8Array =>
      this.#compounds.get(task)?.bytes ?? argumentsOf(graph, task);
    const order = topologicalOrder(graph.count, dependencies);
    if (!(order instanceof Uint32Array)) {
      throw new JugqError(
        'JUGFILE_THREW',
        `the compound ${this.idAt(order.inCircle)} consists of itself: let the inner call have other arguments`,
      );
    }
    const moved = rearrange(graph, { order, dependencies, bytes });
    const place = new Uint32Array(graph.count);
    order.forEach((task, at) => (place[task] = at));
    return { graph: moved, isMoved: true, positionOf: (task) => place[task] ?? task };
  }

  #dependenciesAt(task: number): Iterable<number> {
    const [from, to] = this.#dependencyStart.numbers.subarray(task, task + 2);
    return this.#compounds.get(task)?.dependencies ?? this.#dependencies.numbers.subarray(from, to);
  }

  /** A literal is a way to store a value, and none of the tasks that a body calls. */
  #called(position: number): DeclaredTask {
    const isLiteral =
      this.#functions[this.#functionOf.numbers[position] ?? 0] === literalDefinition;
    if (!isLiteral) currentBody.getStore()?.called.add(position);
    return new DeclaredTask(this, position);
  }

  #hash(definition: Definition, args: readonly unknown[]): Uint8Array {
    return hashTask(definition.name, definition.version, args, this.#identify);
  }

  #append(definition: Definition, hash: Uint8Array, { dependencies, bytes }: Written): number {
    const position = this.count;
    if (this.#argumentBytes.length + bytes.length > 0xffff_ffff) {
      throw new JugqError(
        'ARGUMENT_NOT_HASHABLE',
        `the arguments of all tasks together pass 4 GiB: ${definition.name}: let a task make the large value and pass that task`,
      );
    }
    for (const word of toWords(hash)) this.#hashes.push(word);
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
    const known = this.#positionOfFunction.get(definition.name);
    if (known !== undefined) return known;
    this.#positionOfFunction.set(definition.name, this.#functions.length);
    return this.#functions.push(definition) - 1;
  }

  #refer(value: object, placeOf: PlaceOf): Reference | Instead | undefined {
    return isStandIn(value) ? value[refer](placeOf) : definitionOf(value)?.name;
  }

  #placeOf(task: TaskHandle, places: Map<number, number>): number {
    if (task.undeclared !== undefined) this.#declareLate(task);
    const { position } = task.declared;
    invariant(position < this.count, `task ${task.id} is not of this recording`);
    const place = places.get(position) ?? places.size;
    places.set(position, place);
    return place;
  }

  readonly #identify: Identify = (value) => {
    if (isStandIn(value)) return value[identify](this.#idOf);
    const definition = definitionOf(value);
    return definition && { kind: 'function', name: definition.name };
  };

  readonly #idOf = (task: TaskHandle): TaskId => {
    if (task.undeclared !== undefined) this.#declareLate(task);
    return task.id;
  };
}

/** Tasks in a structure that were called where there was no recording. */
function undeclaredIn(values: readonly unknown[]): TaskHandle[] {
  const found: TaskHandle[] = [];
  const placeOf = (task: TaskHandle): number => {
    if (task.undeclared !== undefined) found.push(task);
    return 0;
  };
  encodeArguments(values, (value) =>
    isStandIn(value) ? value[refer](placeOf) : definitionOf(value)?.name,
  );
  return found;
}

const wordsScratch = new Uint32Array(wordsPerHash);
const bytesScratch = new Uint8Array(wordsScratch.buffer);

/** In one place for all: tasks that are declared while another is written use it, too. */
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
    ...(definition.keep ? {} : { keep: false }),
    fingerprint: '',
  };
}
