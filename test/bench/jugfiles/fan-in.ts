/** 5,000 tasks, and one that takes them all. */
import { task } from 'jugq';

const next = task(function next(number: number): number {
  return number + 1;
});
const sum = task(function sum(numbers: number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
});

sum(Array.from({ length: 5000 }, (_, number) => next(number)));
