/** `jugq plan many.ts COUNT [STEP]`: tasks that do nothing, as many as one likes, or only every STEPth of them. */
import { task } from 'jugq';

const next = task(function next(number: number, label: string): number {
  return number + label.length;
});

export default function main([count, step = '1']: string[]): void {
  for (let number = 0; number < Number(count); number += Number(step)) next(number, 'a');
}
