/** Which tasks of a parcel go to a thread together. */
import type { TaskId } from '../core/identifiers.ts';
import type { ParcelEnds } from './parcel-ends.ts';
import type { Work } from './schedule.ts';

/**
 * The works of a parcel, each with those as its companions that it is tied to: whoever takes what another one gives, and
 * whoever shares a taker with it.
 *
 * @param works - dependencies first
 * @returns the first of each company, with the others as its companions, in the same order
 */
export function companies(works: readonly Work[], ends: ParcelEnds): Work[] {
  const companyOf = new Map<TaskId, Work[]>();
  for (const work of works) {
    let company: Work[] = [];
    for (const id of ends.followedBy(work.task)) {
      const theirs = companyOf.get(id);
      if (theirs !== undefined && theirs !== company) company = merge(company, theirs, companyOf);
    }
    company.push(work);
    companyOf.set(work.task.id, company);
  }
  return [...new Set(companyOf.values())].flatMap(([leader, ...companions]) =>
    leader === undefined ? [] : [{ ...leader, companions }],
  );
}

/** Each of the two is in order, and none of one takes what the other gives. */
function merge(a: Work[], b: Work[], companyOf: Map<TaskId, Work[]>): Work[] {
  const [small, large] = a.length < b.length ? [a, b] : [b, a];
  for (const each of small) {
    large.push(each);
    companyOf.set(each.task.id, large);
  }
  return large;
}
