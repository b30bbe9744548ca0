/** Tasks for two queues. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

const common = task(function common(x: number): number {
  appendFileSync('ran.log', 'common\n');
  return x;
});
const special = task(
  function special(x: number): number {
    appendFileSync('ran.log', 'special\n');
    return x + 1;
  },
  { queue: 'gpu' },
);

export const last = special(common(1));
