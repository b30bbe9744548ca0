import test from 'ava';
import { downstreamOf, reachExpansions } from '../../core/downstream.ts';
import { currentBody, emptyBody, expansionGraph } from '../../core/expansions.ts';
import { argumentsOf, idOf, row, type Graph } from '../../core/graph.ts';
import { decodeExpansions, decodePlan, encodeExpansions } from '../../core/plan-format.ts';
import { Recording } from '../../core/recording.ts';
import { currentEvaluation, task, TaskHandle, type Definition } from '../../core/task.ts';

const inc = task(function inc(x: number): number {
  return x + 1;
});
const outer = task(function outer(x: number): number {
  return x;
});

function compoundNamed(name: string): Definition {
  const run = (x: unknown): unknown => x;
  return {
    ...{ name, run, sources: [run], retries: 0, timeoutMs: undefined, keep: true },
    ...{ queue: 'default', version: undefined, declaredAt: 'here' },
  };
}
const wrap = compoundNamed('wrap');
const around = compoundNamed('around');

/** A recording in which compounds are called, and expanded where `body` says how. */
function record(): {
  readonly recording: Recording;
  readonly call: <T>(declare: () => T) => T;
  readonly compound: (definition: Definition, body?: () => unknown) => TaskHandle;
} {
  const recording = new Recording();
  const call = <T>(declare: () => T): T =>
    currentEvaluation.run({ definitions: new Map(), recorder: recording }, declare);
  return {
    recording,
    call,
    compound: (definition, body) => {
      const { declared } = recording.declareCompound(definition, [1]);
      if (body !== undefined) {
        const made = emptyBody();
        recording.fillCompound(
          declared,
          call(() => currentBody.run(made, body)),
          made,
        );
      }
      return new TaskHandle(definition, declared);
    },
  };
}

function names(graph: Graph, tasks: Iterable<number>): string[] {
  return [...tasks].map((task) => idOf(graph, task).split('.')[0] ?? '');
}

test('a compound depends on the last of what its body called, whether it returned it or not', (t) => {
  const { recording, compound } = record();
  const whole = compound(wrap, () => {
    inc(inc(1));
    inc(10);
    return 'no task';
  });
  const { graph, expansions, positionOf } = recording.snapshot();
  const place = positionOf(whole.declared.position);
  t.is(row(graph.dependencies, place).length, 2);
  t.deepEqual(downstreamOf(graph, [0]).at(-1), place);
  t.deepEqual(
    expansions.map((each) => each.compound),
    [place],
  );
  t.deepEqual(names(graph, expansions[0]?.inner ?? []), ['inc', 'inc', 'inc']);
});

test('what is kept of a compound: all that it is made of, no arguments, nothing else', (t) => {
  const { recording, call, compound } = record();
  const given = call(() => outer(1));
  call(() => outer(2));
  compound(wrap, () => inc(given));
  const snapshot = recording.snapshot();
  const bytes = Buffer.concat(
    encodeExpansions(expansionGraph(snapshot.graph, snapshot.expansions)),
  );
  const { graph, expansions } = decodeExpansions(bytes);
  t.deepEqual(names(graph, [0, 1, 2]), ['outer', 'inc', 'wrap']);
  t.is(graph.count, 3);
  t.deepEqual(expansions, [{ compound: 2, inner: [1] }]);
  t.is(argumentsOf(graph, 1).length, 0);
  t.false('expansions' in decodePlan(bytes));
});

test('a change reaches a compound through another that was not expanded with it, in order', (t) => {
  const first = record();
  first.compound(wrap, () => inc(1));
  const second = record();
  second.compound(around, () => outer(second.compound(wrap) as never));
  // The one that depends is stored first.
  const stored = [second, first].map(({ recording }) => {
    const { graph, expansions } = recording.snapshot();
    return expansionGraph(graph, expansions);
  });
  const hit = (name: string) => (graph: Graph) =>
    names(graph, Array(graph.count).keys()).flatMap((each, task) => (each === name ? [task] : []));
  const plain = [...reachExpansions(stored, hit('inc'), false)];
  t.deepEqual(
    plain.map(([id, reason]) => [id.split('.')[0], reason]),
    [
      ['inc', 'hit'],
      ['wrap', 'dependent'],
      ['outer', 'dependent'],
      ['around', 'dependent'],
    ],
  );
  t.deepEqual([...reachExpansions(stored, hit('around'), false).values()], ['hit']);
  const inner = [...reachExpansions(stored, hit('around'), true)];
  t.deepEqual(
    inner.map(([id, reason]) => [id.split('.')[0], reason]),
    [
      ['inc', 'inner'],
      ['wrap', 'inner'],
      ['outer', 'inner'],
      ['around', 'hit'],
    ],
  );
});
