/** The one way to esbuild: its helper process lives only while somebody needs it. */
import type * as Esbuild from 'esbuild';

let usersCount = 0;

/**
 * Runs `work` with esbuild, and ends esbuild's helper process when the last such work is done.
 *
 * A waiting planner lives for hours, and should not keep an idle compiler beside it; starting it again costs 10 to 20 ms.
 * Loading its package costs as much, and most commands never evaluate a jugfile.
 */
export async function withEsbuild<T>(work: (service: typeof Esbuild) => Promise<T>): Promise<T> {
  const esbuild = await import('esbuild');
  usersCount += 1;
  try {
    return await work(esbuild);
  } finally {
    usersCount -= 1;
    if (usersCount === 0) await esbuild.stop();
  }
}
