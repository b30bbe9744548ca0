/**
 * Makes the programs, the threads and the library of `dist/`, after the compiler has put the types there.
 *
 * Each has its code in a few files instead of one for each module: a command and its worker start an eighth sooner. What
 * they import on demand stays apart. Packages are left to be found in `node_modules`.
 */
import { build } from 'esbuild';

/** Those of one line share files; threads and other programs have their own, which makes them few. */
const entries = [
  ['cli/main.ts', 'cli/library.ts'],
  ['cli/layout-thread.ts'],
  ['broker/private-keeper.ts'],
  ['worker/dispatcher-thread.ts'],
  ['worker/evaluate-thread.ts'],
  ['worker/quarantine-child.ts'],
  ['worker/task-thread.ts'],
];

for (const entryPoints of entries) {
  await build({
    entryPoints,
    outbase: '.',
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
  });
}
