/** A status as one HTML file that needs nothing else and loads itself again. */
import { rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { countedStates, valueFor } from '../core/records.ts';
import { formatMs } from './amounts.ts';
import { JugqError } from '../core/errors.ts';
import { formatBusy, formatShort } from './format-status.ts';
import { escapeHtml } from './html-text.ts';
import type { Status } from './library-types.ts';
import { stateColours } from './state-colours.ts';

/** How often a browser loads the page again, s. */
const refreshSeconds = 2;

/**
 * Writes the page in one step: whoever reads it meanwhile sees the old one or the new one, whole.
 *
 * @throws JugqError `USAGE` if the file cannot be written
 */
export async function writeStatusPage(file: string, cwd: string, status: Status): Promise<void> {
  const path = resolve(cwd, file);
  const beside = `${path}.${process.pid.toString()}.new`;
  try {
    await writeFile(beside, statusPage(status, new Date()));
    await rename(beside, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new JugqError('USAGE', `cannot write ${file}: ${why}: name another file`, { cause });
  }
}

/** The page of a status that was read at this time. */
export function statusPage(status: Status, at: Date): string {
  const title = `${status.project}: ${formatShort(status)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="${refreshSeconds.toString()}">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(status.project)}</h1>
<p>${escapeHtml(formatShort(status))}; as of <time>${at.toISOString()}</time></p>
${functionTable(status)}
${list(
  'Runs',
  status.runs.map(
    (each) =>
      `${each.id} ${each.state}: ${each.jugfile}, planned ${each.plannedAt}${each.note === undefined ? '' : `: ${each.note}`}`,
  ),
)}
${list(
  'Workers',
  status.workers.map(
    (each) =>
      `${each.id}: ${each.silent ? 'silent' : formatBusy(each)}, queues ${each.queues.join(', ')}`,
  ),
)}
${list('Notes', status.notes)}
</body>
</html>
`;
}

const style = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
tr:last-child.total { font-weight: 600; }
.bar { display: flex; height: .8rem; min-width: 8rem; background: #eee; border-radius: .2rem; overflow: hidden; }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } th, td { border-color: #444; } .bar { background: #333; } }
`;

function functionTable(status: Status): string {
  const { functions, times, totals } = status;
  const columns = totals.stale === undefined ? countedStates : [...countedStates, 'stale'];
  const timeColumns = times === undefined ? [] : ['mean', 'p95', 'total time'];
  const head = ['function', ...columns, ...timeColumns, ''];
  const row = (name: string, counts: Status['totals'], kind: string): string => {
    const known: Readonly<Partial<Record<string, number>>> = counts;
    const time = times === undefined ? undefined : valueFor(times, name);
    const timeCells =
      times === undefined
        ? []
        : time === undefined
          ? ['', '', '']
          : [time.meanMs, time.p95Ms, time.totalMs].map(formatMs);
    const cells = [name, ...columns.map((each) => (known[each] ?? 0).toString()), ...timeCells];
    return `<tr class="${kind}">${cells.map((each) => `<td>${escapeHtml(each)}</td>`).join('')}<td>${bar(counts)}</td></tr>`;
  };
  const rows = Object.entries(functions).map(([name, counts]) => row(name, counts, 'function'));
  if (rows.length === 0) return '<p>No tasks yet.</p>';
  if (rows.length > 1) rows.push(row('total', totals, 'total'));
  return `<table><thead><tr>${head.map((each) => `<th>${escapeHtml(each)}</th>`).join('')}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table>`;
}

function bar(counts: Status['totals']): string {
  const parts = countedStates
    .filter((state) => counts[state] > 0)
    .map(
      (state) =>
        `<span title="${counts[state].toString()} ${state}" style="flex:${counts[state].toString()};background:${stateColours[state]}"></span>`,
    );
  return `<div class="bar">${parts.toReversed().join('')}</div>`;
}

function list(title: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  return `<h2>${title}</h2>\n<ul>${items.map((each) => `<li>${escapeHtml(each)}</li>`).join('\n')}</ul>`;
}
