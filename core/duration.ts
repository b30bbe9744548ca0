/** Durations as people write them (`30s`, `1h30m`), and as the code has them: whole milliseconds. */
import { JugqError } from './errors.ts';

const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

const wholePattern = /^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/;
const partPattern = /(\d+(?:\.\d+)?)(ms|[smhd])/g;

/**
 * Reads a duration: numbers with the units `ms`, `s`, `m`, `h` or `d`, largest first, each once.
 *
 * A number without a unit is refused, because one reader takes it for seconds and the next for milliseconds.
 *
 * @returns whole milliseconds
 * @throws JugqError `SETTINGS_INVALID`
 */
export function parseDuration(text: string): number {
  const ms = durationOf(text);
  if (ms !== undefined) return ms;
  throw new JugqError(
    'SETTINGS_INVALID',
    `expected a duration such as 30s or 10m, got ${JSON.stringify(text)}`,
  );
}

/** Whether a text is a duration. */
export function isDuration(text: string): boolean {
  return durationOf(text) !== undefined;
}

function durationOf(text: string): number | undefined {
  const compact = text.replaceAll(/\s+/g, '');
  const parts = [...compact.matchAll(partPattern)];
  const factors = parts.map((part) => unitsMs[part[2] as keyof typeof unitsMs]);
  const falling = factors.every((factor, at) => at === 0 || factor < (factors[at - 1] ?? 0));
  const total = parts.reduce((sum, part, at) => sum + Number(part[1]) * (factors[at] ?? 0), 0);
  const ms = Math.round(total);
  return wholePattern.test(compact) && falling && Number.isSafeInteger(ms) ? ms : undefined;
}

/**
 * Writes a duration so that `parseDuration` reads the same one.
 *
 * @param ms - whole milliseconds, not negative
 */
export function formatDuration(ms: number): string {
  let rest = ms;
  let text = '';
  for (const [unit, factor] of Object.entries(unitsMs)) {
    const count = Math.floor(rest / factor);
    rest -= count * factor;
    if (count > 0) text += `${count.toString()}${unit}`;
  }
  return text === '' ? '0s' : text;
}
