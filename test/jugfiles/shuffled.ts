/** 32 chains of 8 tasks, declared link by link in a mixed order of the chains. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

const link = task(function link(chain: number, before: number): number {
  appendFileSync('ran.log', `${chain.toString()} ${before.toString()}\n`);
  return before + 1;
});

const chains = Array.from({ length: 32 }, (_, chain) => ({
  chain,
  end: link(chain, 0),
}));
for (let round = 1; round < 8; round++) {
  for (const each of chains.toSorted(
    (a, b) => ((a.chain * 7 + round) % 32) - ((b.chain * 7 + round) % 32),
  )) {
    each.end = link(each.chain, each.end);
  }
}
export const ends = chains.map((each) => each.end);
