/** Bytes and durations for people. */

/** `17 B`, `1.2 kB`, `3.4 GB`: decimal, as disks are sold. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 ? amount.toString() : amount.toFixed(1)} ${units[power] ?? ''}`;
}

/** `13 µs`, `0.4 ms`, `12 ms`, `1.2 s`, `3m 20s`, `2h 5m`. */
export function formatMs(ms: number): string {
  if (ms > 0 && ms < 0.1) return `${Math.max(1, Math.round(ms * 1000)).toString()} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes.toString()}m ${(seconds % 60).toString()}s`;
  return `${Math.floor(minutes / 60).toString()}h ${(minutes % 60).toString()}m`;
}
