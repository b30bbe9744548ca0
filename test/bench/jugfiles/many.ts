/** `jugq plan many.ts END [STEP] [FIRST]`: tasks that do nothing, as many as one likes, or only every STEPth of them. */
import { task } from 'jugq';

const next = task(function next(number: number, label: string): number {
  return number + label.length;
});

export default function main([end, step = '1', first = '0']: string[]): void {
  for (let number = Number(first); number < Number(end); number += Number(step)) next(number, 'a');
}
