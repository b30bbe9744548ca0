/** The ready tasks of a run: a heap for each function, the longest remaining path on top. */

/** Ordered by remaining path, longest first; among equals the one declared first. */
export class ReadyTasks {
  readonly #longest: Float32Array;
  readonly #heaps: number[][];

  /**
   * @param longest - remaining path by task
   * @param functions - how many functions there are
   */
  constructor(longest: Float32Array, functions: number) {
    this.#longest = longest;
    this.#heaps = Array.from({ length: functions }, () => []);
  }

  push(fn: number, task: number): void {
    const heap = this.#heap(fn);
    let at = heap.push(task) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] ?? 0;
      if (this.#before(above, task)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = task;
  }

  /** The first task of a function, or -1. */
  peek(fn: number): number {
    return this.#heap(fn)[0] ?? -1;
  }

  /** Takes the first task of a function off, or -1. */
  pop(fn: number): number {
    const heap = this.#heap(fn);
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return -1;
    if (heap.length > 0) this.#sink(heap, last);
    return first;
  }

  /** Whether task `a` goes before task `b`. */
  before(a: number, b: number): boolean {
    return this.#before(a, b);
  }

  /** Everything that was pushed and not yet popped; a task may be there twice. */
  *all(): Iterable<number> {
    for (const heap of this.#heaps) yield* heap;
  }

  #heap(fn: number): number[] {
    return this.#heaps[fn] ?? [];
  }

  #sink(heap: number[], task: number): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const isRight = right < heap.length && this.#before(heap[right] ?? 0, heap[left] ?? 0);
      const child = isRight ? right : left;
      const below = heap[child] ?? 0;
      if (this.#before(task, below)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = task;
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#longest[a] ?? 0) - (this.#longest[b] ?? 0);
    return difference === 0 ? a < b : difference > 0;
  }
}
