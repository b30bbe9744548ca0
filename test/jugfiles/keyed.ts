/** Arguments that say themselves what counts of them. */
import { appendFileSync } from 'node:fs';
import { hashKey, isJugqError, JugqError, task } from 'jugq';

class Sample {
  readonly value: number;
  readonly seenAt: number;

  constructor(value: number, seenAt: number) {
    this.value = value;
    this.seenAt = seenAt;
  }

  [hashKey](): unknown {
    appendFileSync('keys.log', `${this.value.toString()}\n`);
    return this.value;
  }
}

const double = task(function double(x: { readonly value: number }): number {
  appendFileSync('ran.log', 'double\n');
  return 2 * x.value;
});

const samples = [new Sample(4, Date.now()), new Sample(4, performance.now()), new Sample(8, 0)];
export const doubled = samples.map((sample) => double(sample));
export const codes = [new JugqError('USAGE', 'not so')].map((each) =>
  isJugqError(each, 'USAGE') ? each.code : 'none',
);
