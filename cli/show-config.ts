/** `jugq config`: every setting, and where it came from. */
import { inspect } from 'node:util';
import type { CommandContext } from './commands/base.ts';
import type { LoadedSettings } from './settings.ts';
import { environmentName, flagOf } from './settings-table.ts';
import { formatTable } from './table.ts';

/** Prints the settings; secrets are masked. */
export function showConfig(
  { origins }: LoadedSettings,
  { json, context }: { readonly json: boolean; readonly context: CommandContext },
): number {
  const rows = origins.map(({ key, value, origin }) => {
    return { key, value, origin, flag: flagOf(key), environment: environmentName(key) };
  });
  const text = json
    ? JSON.stringify(rows)
    : formatTable(
        ['setting', 'value', 'from', 'variable'],
        rows.map(({ key, value, origin, environment }) => [key, shown(value), origin, environment]),
      );
  context.stdout.write(`${text}\n`);
  return 0;
}

function shown(value: unknown): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '–';
  if (Array.isArray(value)) return value.map(String).join(', ');
  return typeof value === 'string' ? value : inspect(value);
}
