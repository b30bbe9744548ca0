/**
 * Reads a message without its key: tries every key of four letters. The keys are split by their first letter, so that
 * there are 26 tasks of 17,576 keys each.
 */
import { task } from 'jugq';
import { combine, keysOf, looksWritten, scoreText } from './cipher.ts';

interface Candidate {
  readonly key: string;
  readonly text: string;
  readonly score: number;
}

const tryKeys = task(function tryKeys(message: string, first: string, length: number): Candidate[] {
  const bytes = Buffer.from(message, 'base64');
  const found: Candidate[] = [];
  for (const rest of keysOf(length - 1)) {
    const plain = combine(bytes, first + rest);
    if (!looksWritten(plain)) continue;
    const text = Buffer.from(plain).toString('latin1');
    found.push({ key: first + rest, text, score: scoreText(text) });
  }
  return found;
});

const mostEnglish = task(function mostEnglish(candidates: Candidate[][]): Candidate {
  const all = candidates.flat();
  if (all.length === 0) throw new Error('no key makes a text of it');
  return all.reduce((best, each) => (each.score > best.score ? each : best));
});

const message =
  'PBAEDVEYBFkGHQQLFFUVERRVExAHEBNZExAPHQJZQRgFVRURFFUJFgQHQQ4ZEA9ZHxoDFhUMQRoeAA8N' +
  'AlUVERRVAxYQARJXUTcTEB8SQQ4ZFBVZCBoUWRMaEwseAgQdXVUAFxVVFRwdGUEXHlUOFxRb';
export const candidates = [...keysOf(1)].map((first) => tryKeys(message, first, 4));
export const answer = mostEnglish(candidates);
