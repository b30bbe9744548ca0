/**
 * Virtual time and the processes that live in it.
 *
 * What a process does is written as a generator that yields how many milliseconds it waits. Between two steps anything
 * may happen to it: it is killed (and never goes on), or stopped for a while (and goes on late, as after a SIGCONT).
 */

/** Steps of a process; what is yielded are milliseconds to wait. */
export type Steps<T = void> = Generator<number, T, undefined>;

/** A simulated operating system process. */
export interface Process {
  readonly name: string;
  /** Whether faults may befall it. */
  readonly isMortal: boolean;
  alive: boolean;
  /** It does nothing before this moment. */
  stoppedUntil: number;
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly process: Process;
  readonly act: () => void;
}

export class Scheduler {
  #now = 0;
  #order = 0;
  readonly #due: Due[] = [];
  readonly #beforeStep: (process: Process) => void;

  /** @param beforeStep - may kill or stop the process whose turn it is */
  constructor(beforeStep: (process: Process) => void) {
    this.#beforeStep = beforeStep;
  }

  /** Milliseconds since the simulation began. */
  get now(): number {
    return this.#now;
  }

  /** Does something in a process after a while. */
  after(process: Process, ms: number, act: () => void): void {
    this.#push({ at: this.#now + ms, order: this.#order++, process, act });
  }

  /** Starts steps of a process; an error in them is the simulation's own. */
  spawn(process: Process, steps: Steps): void {
    const go = (): void => {
      const step = steps.next();
      if (step.done !== true) this.after(process, step.value, go);
    };
    this.after(process, 0, go);
  }

  /** Lets time pass until the moment is reached or nothing is left to do. */
  runUntil(end: number): void {
    for (let due = this.#due[0]; due !== undefined && due.at <= end; due = this.#due[0]) {
      this.#pop();
      this.#now = due.at;
      const { process } = due;
      if (process.isMortal && this.#canAct(process)) this.#beforeStep(process);
      if (this.#canAct(process)) due.act();
      else if (process.alive) this.#push({ ...due, at: process.stoppedUntil });
    }
    this.#now = end;
  }

  #canAct(process: Process): boolean {
    return process.alive && process.stoppedUntil <= this.#now;
  }

  #push(due: Due): void {
    const heap = this.#due;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, due)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#due;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
