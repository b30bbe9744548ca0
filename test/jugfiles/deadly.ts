/** One task kills the process that it runs in, the others are slow enough to be there at that moment. */
import { setTimeout as delay } from 'node:timers/promises';
import { task } from 'jugq';

const die = task(function die(): void {
  process.kill(process.pid, 'SIGKILL');
});
const live = task(async function live(x: number): Promise<number> {
  await delay(100);
  return x;
});

export const death = die();
export const lives = [0, 1, 2, 3].map((x) => live(x));
