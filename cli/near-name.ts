/** The name that somebody probably meant. */

/**
 * The candidate that differs least from what was written, if it differs little enough to be a slip: in case only, or
 * by at most a third of its letters (inserted, left out, replaced, or two neighbours exchanged).
 */
export function nearName<Name extends string>(
  written: string,
  candidates: readonly Name[],
): Name | undefined {
  const rated = candidates.map((name) => ({
    name,
    distance: editDistance(written.toLowerCase(), name.toLowerCase()),
  }));
  rated.sort((left, right) => left.distance - right.distance);
  const [best] = rated;
  return best !== undefined && best.distance * 3 <= best.name.length ? best.name : undefined;
}

/** Optimal string alignment. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_all, at) => at);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let at = 1; at <= to.length; at++) {
      const same = from[row - 1] === to[at - 1];
      const replaced = (last[at - 1] ?? 0) + (same ? 0 : 1);
      const exchanged =
        row > 1 && at > 1 && from[row - 1] === to[at - 2] && from[row - 2] === to[at - 1];
      const choices = [replaced, (last[at] ?? 0) + 1, (current[at - 1] ?? 0) + 1];
      if (exchanged) choices.push((beforeLast[at - 2] ?? 0) + 1);
      current.push(Math.min(...choices));
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}
