/**
 * Where the entry of a program or thread of jugq's own is.
 *
 * Threads and children run the build, also when the tests load the rest from the sources: a loader of TypeScript does
 * not reach into the threads of Node 20. In the build each file is one folder deep.
 *
 * @param name - such as `worker/task-thread.js`; one of the entries in `build.ts`
 */
export function builtFile(name: string): URL {
  const build = import.meta.url.endsWith('.ts') ? '../dist' : '..';
  return new URL(`${build}/${name}`, import.meta.url);
}
