/** Waits for a state that announces itself in no event. */
import { setTimeout as delay } from 'node:timers/promises';

const deadlineMs = 45_000;

/**
 * Asks again until the answer is something else than undefined or false.
 *
 * @param what - what is waited for, for the error: "the server to end"
 * @throws Error that names it if it does not come
 */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > until) {
      throw new Error(`waited ${deadlineMs.toString()} ms in vain for ${what}`);
    }
    await delay(20);
  }
}
