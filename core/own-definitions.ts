/** Definitions that several calls in a jugfile share: those of the functions that jugq itself declares. */
import { JugqError } from './errors.ts';
import { currentEvaluation, define, type Definition } from './task.ts';

/**
 * As `define`, where a call has made the same definition before: both must give it the same options, for a run knows only
 * one set of them by the name.
 *
 * @param mend - what to do if they do not
 * @throws JugqError `USAGE`, and what `define` throws
 */
export function defineOwn(made: Parameters<typeof define>[0], mend: string): Definition {
  const known = currentEvaluation.getStore()?.definitions.get(made.name);
  const definition = define(made);
  const differs = (['queue', 'retries', 'timeoutMs'] as const).find(
    (each) => known !== undefined && known[each] !== definition[each],
  );
  if (differs === undefined) return definition;
  throw new JugqError(
    'USAGE',
    `${made.name}: two calls have different options (${differs === 'timeoutMs' ? 'timeout' : differs}): ${String(known?.declaredAt)} and ${definition.declaredAt}: ${mend}`,
  );
}
