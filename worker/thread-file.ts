/**
 * Where the entry of a thread or child process of this folder is.
 *
 * Threads and children run the build, also when the tests load the rest from the sources: a loader of TypeScript does
 * not reach into the threads of Node 20.
 */
export function threadFile(name: string): URL {
  const built = import.meta.url.endsWith('.ts') ? '../dist/worker' : '.';
  return new URL(`${built}/${name}.js`, import.meta.url);
}
