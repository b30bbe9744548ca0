/** Time that can be compared: a clock that somebody sets back must not make anything wait for hours. */

/**
 * A clock in epoch ms that never goes back: where the machine's does, it goes on from where it was.
 *
 * It follows the machine's clock forward, after a sleep as well, so that moments that others wrote down are passed.
 */
export function steadyClock(read: () => number = Date.now): () => number {
  let behind = 0;
  let last = 0;
  return () => {
    const wall = read();
    behind = Math.max(behind, last - wall);
    last = wall + behind;
    return last;
  };
}
