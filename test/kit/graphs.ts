/** Made-up graphs of tasks without dependencies. */
import type { FunctionFacts, Graph } from '../../core/graph.ts';
import { hashOf } from './project.ts';

/** A graph of so many tasks of each function; task `n` of a function is the one that `idFor` names. */
export function graphOf(counts: Readonly<Record<string, number>>): Graph {
  const functions: FunctionFacts[] = [];
  const hashes: Uint8Array[] = [];
  const functionOf: number[] = [];
  for (const [name, count] of Object.entries(counts)) {
    for (let n = 0; n < count; n++) {
      hashes.push(hashOf(`${name} ${n.toString()}`));
      functionOf.push(functions.length);
    }
    functions.push({ name, queue: 'default', retries: 0, fingerprint: 'f00d' });
  }
  const count = hashes.length;
  const bytes = new Uint8Array(count * 20);
  for (const [task, hash] of hashes.entries()) bytes.set(hash, task * 20);
  return {
    count,
    functions,
    hashes: new Uint32Array(bytes.buffer),
    functionOf: Uint32Array.from(functionOf),
    dependencies: { start: new Uint32Array(count + 1), items: new Uint32Array() },
    argumentStart: new Uint32Array(count + 1),
    argumentBytes: new Uint8Array(),
  };
}
