/** How the JavaScript engine of a worker's process is to go about its work. */
import { setFlagsFromString } from 'node:v8';

/**
 * Has the engine of Node 20 look for longer before it compiles a function for good, 4 times as long.
 *
 * That compiler is slow, each thread compiles for itself, and there are as many as four compiling threads beside those
 * that work: of a run of a second on two cores, they took two fifths of all processor time. Later engines (V8 12.4 on,
 * Node 22) have a quick compiler before that one, and know no such setting.
 */
export function tuneEngine(): void {
  if (process.versions.v8.startsWith('11.')) setFlagsFromString('--interrupt-budget=270336');
}
