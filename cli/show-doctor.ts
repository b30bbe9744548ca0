/** Prints what the doctor found. */
import colors from 'picocolors';
import type { CommandContext } from './commands/base.ts';
import type { Diagnosis, Finding } from './doctor.ts';

/** Exit status 0: nothing is bad; 1: something is; 3: there is no usable server. */
export function showDiagnosis(
  { reachable, findings }: Diagnosis,
  { json, context }: { readonly json: boolean; readonly context: CommandContext },
): number {
  const isBad = findings.some((each) => each.verdict === 'bad');
  const text = json
    ? JSON.stringify({ ok: !isBad, findings })
    : findings.map(formatFinding).join('\n');
  context.stdout.write(`${text}\n`);
  // Settings that cannot be read are the call's fault, whatever server there may be.
  const onlySettings = findings.some((each) => each.what === 'settings' && each.verdict === 'bad');
  if (!reachable) return onlySettings ? 1 : 3;
  return isBad ? 1 : 0;
}

function formatFinding({ what, verdict, found, advice }: Finding): string {
  const mark = { good: colors.green('✓'), doubtful: colors.yellow('!'), bad: colors.red('✗') };
  const line = `${mark[verdict]} ${what.padEnd(12)}  ${found}`;
  return advice === undefined ? line : `${line}\n${' '.repeat(16)}→ ${advice}`;
}
