/** Where the entry of a thread or child process of this folder is, in the sources as in the build. */
export function threadFile(name: string): URL {
  const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`./${name}${ending}`, import.meta.url);
}
