/**
 * Ids of tasks that take parts, lists and wrapped values, as a jugfile declares them: they must never change, for
 * results are stored under them. `vectors.ts` pins the form of each value by itself.
 */
import test from 'ava';
import { map, mapReduce, reduce, starMap } from '../../core/map.ts';
import { derive, pick, split } from '../../core/parts.ts';
import type { Planner } from '../../core/planning.ts';
import { Recording } from '../../core/recording.ts';
import { currentEvaluation, task } from '../../core/task.ts';
import { shell } from '../../core/external.ts';
import { file } from '../../core/files.ts';
import { after, lazy, literal, noHash } from '../../core/wrapped.ts';

const list = task('list', (...xs: number[]): number[] => xs);
const index = task('index', (x: number): number => x);
const take = task('take', (x: unknown): unknown => x);
const inc = (x: number): number => x + 1;
const add = (a: number, b: number): number => a + b;

const declared: Readonly<Record<string, () => unknown>> = {
  'pick by an index': () => take(pick(list(1, 2), 0)),
  'pick by an index from the end': () => take(pick(list(1, 2), -1)),
  'pick by a task': () => take(pick(list(1, 2), index(0))),
  'pick by a part of a task': () => take(pick(list(1, 2), pick(list(0), 0))),
  'item of split': () => take(split(list(1, 2), 2)[1]),
  'derive by a plain function': () => take(derive(index(1), inc)),
  'derive by a task function': () => take(derive(index(1), index)),
  'derive of a part': () => take(derive(pick(list(1, 2), 0), inc)),
  'after one task': () => take(after(1, index(1))),
  'after several tasks and parts': () => take(after('x', [index(1), pick(list(1), 0)], index(2))),
  'a task after another': () => take(after(index(1), index(2))),
  noHash: () => take(noHash(1)),
  'lazy task': () => take(lazy(index(1))),
  'lazy part': () => take(lazy(pick(list(1, 2), 0))),
  'lazy derived part': () => take(lazy(derive(index(1), inc))),
  file: () => take(file('data.csv')),
  shell: () => shell('/usr/bin/sort.pl', ['-n', index(1)]),
  'shell with everything': () =>
    shell('sort', [], {
      name: 'by-size',
      inputs: { a: 'text', b: file('data.csv') },
      outputs: ['c'],
      cwd: '/tmp',
      env: { LC_ALL: 'C' },
      stdin: 'x',
    }),
  literal: () => take(literal([1, 2])),
  map: () => map(inc, [1, 2, 3]),
  'list of map': () => take(map(inc, [1, 2, 3, 4, 5])),
  'item of map': () => take(map(inc, [1, 2, 3, 4, 5])[4]),
  starMap: () => take(starMap(add, [[1, 2]])),
  reduce: () => reduce(add, [1, 2, 3]),
  'reduce of nothing': () => take(reduce(add, [], { initial: 7 })),
  mapReduce: () => mapReduce(add, inc, [1, 2, 3]),
  'map by a task function': () => take(map(index, [1, 2, 3])),
};

const ids: Readonly<Record<string, string>> = {
  'pick by an index': 'take.arsmocmm4g2cbset6utt3opxtdkkmjbj',
  'pick by an index from the end': 'take.6u3nblzmvlv73qksp4ao5m4aifcmq2gd',
  'pick by a task': 'take.l4znvp2xxko5kychqdalttu64scrjokw',
  'pick by a part of a task': 'take.xpnpi4mcpfperyrubrih4idh5wczi4rl',
  'item of split': 'take.xchrnxecszhm55e6c5jvzdstd4d65q2z',
  'derive by a plain function': 'take.cqqojyaqbkgm3hggvbvopcs6htmscbnk',
  'derive by a task function': 'take.m4xrorc5ac6kgd4kvazwypu2flqservo',
  'derive of a part': 'take.yeoqtouy7xbjcvl5vazdkbj2b5vytczw',
  'after one task': 'take.h37val2ivv6or26ah2odjjtewfidoorr',
  'after several tasks and parts': 'take.6577wh7bp3fzvame4r7rxwu4azmeon6t',
  'a task after another': 'take.s5fg3gpraim34ucyrxmijkl7jakhwmyz',
  noHash: 'take.5r64ih4nadhgf7qx7ivwzcl6lx7p4kdf',
  'lazy task': 'take.wuuopu5hv625zrnuirgggcqpgwfic6x2',
  'lazy part': 'take.winskpmrreec2to2op3izeqzfdtkkwz6',
  'lazy derived part': 'take.dggztofbugikganfabz47kgzbq52a6yd',
  file: 'take.sd3r63efxq3izgnbcuj6uhl7yhmbnkmx',
  shell: 'sort_pl/shell.i5qslu6gahkde3c7ec4evn5dvdbs27vp',
  'shell with everything': 'by-size/shell.q4qb6bv4xoj2ivlklr66gaio7lnqkcwi',
  literal: 'take.phskbsgnnjcepl7r4wfvthbqax5qvktq',
  map: 'inc/map.tf4pizltukksznmg6tnatwynhmvcm7yu',
  'list of map': 'take.qxpk57c6lpkaerwakxlo5zu2xqz5bw3i',
  'item of map': 'take.fykgsslxv2u4zsge653eaf4uwm4pwplk',
  starMap: 'take.qyldivk32fftztkvy35wcqwedurlzruf',
  reduce: 'add/reduce.37xb7hjayh3imjtw5tros7f4c7lxqmob',
  'reduce of nothing': 'take.wr4cc77ewmvfmxhvs67hiqeewbr4zd6b',
  mapReduce: 'inc/add/map-reduce.eafhvwo2q45gapqo4xeovdc2yfmc7udu',
  'map by a task function': 'take.dtuda6rmsszuebjscmmhptio5kyhuez7',
};

/** The id of the last task that is declared. */
function idOf(declare: () => unknown): string {
  const recording = new Recording();
  const facts = { path: '/somewhere/data.csv', digest: 'ba7816bf'.repeat(8), size: 3 };
  const planner = { fileAt: () => () => facts } as unknown as Planner;
  currentEvaluation.run({ definitions: new Map(), recorder: recording, planner }, declare);
  return recording.idAt(recording.count - 1);
}

for (const [what, declare] of Object.entries(declared)) {
  test(`id: ${what}: as pinned`, (t) => {
    t.is(idOf(declare), ids[what] ?? 'no id is pinned');
  });
}
