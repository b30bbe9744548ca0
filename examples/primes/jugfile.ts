/** Which of the numbers from 2 to 100 are prime? Each test takes a second, so that one can see workers share them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { task } from 'jugq';

const isPrime = task(async function isPrime(n: number): Promise<boolean> {
  await sleep(1000);
  for (let divisor = 2; divisor < n; divisor++) {
    if (n % divisor === 0) return false;
  }
  return true;
});

const primesAmong = task(function primesAmong(numbers: number[], answers: boolean[]): number[] {
  return numbers.filter((_, index) => answers[index]);
});

const numbers = Array.from({ length: 99 }, (_, index) => index + 2);
export const primes = primesAmong(
  numbers,
  numbers.map((n) => isPrime(n)),
);
