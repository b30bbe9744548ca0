/** `jugq plan many.ts COUNT`: tasks that do nothing, as many as one likes. */
import { task } from 'jugq';

const next = task(function next(number: number, label: string): number {
  return number + label.length;
});

export default function main([count]: string[]): void {
  for (let number = 0; number < Number(count); number++) next(number, 'a');
}
