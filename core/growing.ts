/** Typed arrays that grow by doubling: a million tasks cost a handful of buffers, not a million objects. */

/** Bytes appended one after another. */
export class GrowingBytes {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array): void {
    const end = this.#length + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }

  /** A copy of exactly what was appended. */
  toArray(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Unsigned 32-bit numbers appended one after another. */
export class GrowingUint32 {
  #numbers = new Uint32Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The buffer itself, valid up to `length` and only until the next push. */
  get numbers(): Uint32Array {
    return this.#numbers;
  }

  push(value: number): void {
    if (this.#length === this.#numbers.length) {
      const grown = new Uint32Array(this.#numbers.length * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[this.#length++] = value;
  }

  /** A copy of exactly what was pushed. */
  toArray(): Uint32Array {
    return this.#numbers.slice(0, this.#length);
  }
}
