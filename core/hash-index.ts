/**
 * Finds the position of a task by its hash: open addressing over the hashes themselves, 8 bytes a task at most.
 *
 * A hash is five 32-bit words. SHA-256 spreads them evenly, so the first word is the slot; the table stays at most
 * half full, which keeps a miss at about two probes.
 */
export const wordsPerHash = 5;
export const hashBytes = 20;

export class HashIndex {
  #slots: Int32Array;
  #count = 0;

  constructor(capacity = 512) {
    let size = 1024;
    while (size < capacity * 2) size *= 2;
    this.#slots = new Int32Array(size).fill(-1);
  }

  /** Position of the hash that stands at `words[offset…offset + 4]`, or -1. */
  find(hashes: Uint32Array, words: Uint32Array, offset = 0): number {
    const mask = this.#slots.length - 1;
    for (let slot = (words[offset] ?? 0) & mask; ; slot = (slot + 1) & mask) {
      const position = this.#slots[slot] ?? -1;
      if (position === -1 || sameHash(hashes, position * wordsPerHash, words, offset)) {
        return position;
      }
    }
  }

  /** Adds the hash at `position`, which must not be there yet. */
  add(hashes: Uint32Array, position: number): void {
    if ((this.#count + 1) * 2 > this.#slots.length) this.#grow(hashes);
    this.#insert(hashes, position);
    this.#count++;
  }

  #insert(hashes: Uint32Array, position: number): void {
    const mask = this.#slots.length - 1;
    let slot = (hashes[position * wordsPerHash] ?? 0) & mask;
    while (this.#slots[slot] !== -1) slot = (slot + 1) & mask;
    this.#slots[slot] = position;
  }

  #grow(hashes: Uint32Array): void {
    const previous = this.#slots;
    this.#slots = new Int32Array(previous.length * 2).fill(-1);
    for (const position of previous) if (position !== -1) this.#insert(hashes, position);
  }
}

function sameHash(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  for (let word = 0; word < wordsPerHash; word++) {
    if (a[atA + word] !== b[atB + word]) return false;
  }
  return true;
}
