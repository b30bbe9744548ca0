/**
 * Identity of a task: the hash of its function's name, the function's version and its arguments.
 *
 * Guarantees: equal values hash equal in every process and on every platform; values that differ have different
 * pre-images, because every type has a tag of its own and every text, list and run of bytes comes after its length.
 * `canonical-form.ts` defines the pre-image value by value. `test/core/vectors.ts` pins hashes; a change that moves
 * one needs a new `formVersion`, and makes every stored result unreachable.
 */
import { FormWriter } from './canonical-form.ts';

export { hashKey, type Identify, type Identity } from './canonical-form.ts';
