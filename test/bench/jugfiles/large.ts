/** `jugq plan large.ts COUNT`: results of a mebibyte, each with a consumer. */
import { task } from 'jugq';

const make = task(function make(number: number): Uint8Array {
  return new Uint8Array(1024 * 1024).fill(number % 251);
});
const size = task(function size(number: number, bytes: Uint8Array): number {
  return bytes.every((each) => each === number % 251) ? number + 1 : 0;
});

export default function main([count]: string[]): void {
  for (let number = 0; number < Number(count); number++) size(number, make(number));
}
