/** A plan as boxes and arrows, and the languages that graphs are written down in. */
import { row, hashText, functionOf, type Graph } from '../core/graph.ts';
import {
  addCounts,
  countedStates,
  noCounts,
  taskStates,
  valueFor,
  type CountedState,
  type Counts,
  type TaskState,
} from '../core/records.ts';
import type { RunProgress } from '../core/run-progress.ts';
import { stateName } from './state-names.ts';
import { stateColours } from './state-colours.ts';

/** A function, or a task. */
export interface Box {
  readonly lines: readonly string[];
  readonly state: TaskState;
}

/** From what is needed to what needs it, by position among the boxes. */
export interface Arrow {
  readonly from: number;
  readonly to: number;
  /** How many dependencies it stands for. */
  readonly count: number;
}

export interface Drawing {
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
}

/** A box for each function, with how far its tasks are. */
export function drawFunctions(graph: Graph, counts: Readonly<Record<string, Counts>>): Drawing {
  const boxes = graph.functions.map(({ name }) => {
    const own = valueFor(counts, name) ?? noCounts();
    const all = countedStates.reduce((sum, each) => sum + own[each], 0);
    const finished = `${own.finished.toString()} of ${all.toString()} finished`;
    const failed = own.failed > 0 ? [`${own.failed.toString()} failed`] : [];
    return { lines: [name, finished, ...failed], state: mostTelling(own) };
  });
  const arrows = new Map<number, Arrow>();
  for (let task = 0; task < graph.count; task++) {
    const to = graph.functionOf[task] ?? 0;
    for (const dependency of row(graph.dependencies, task)) {
      const from = graph.functionOf[dependency] ?? 0;
      const key = from * boxes.length + to;
      arrows.set(key, { from, to, count: (arrows.get(key)?.count ?? 0) + 1 });
    }
  }
  return { boxes, arrows: [...arrows.values()] };
}

/** A box for each task. */
export function drawTasks(progress: RunProgress): Drawing {
  const { graph } = progress.plan;
  const boxes: Box[] = [];
  const arrows: Arrow[] = [];
  for (let to = 0; to < graph.count; to++) {
    const lines = [functionOf(graph, to).name, hashText(graph, to).slice(0, shownHash)];
    boxes.push({ lines, state: stateName(progress, to) });
    for (const from of row(graph.dependencies, to)) arrows.push({ from, to, count: 1 });
  }
  return { boxes, arrows };
}

const shownHash = 6;

/** The state that matters most to whoever looks at a function. */
function mostTelling(counts: Counts): CountedState {
  const order = ['failed', 'blocked', 'running', 'ready', 'waiting'] as const;
  return order.find((each) => addCounts([counts])[each] > 0) ?? 'finished';
}

/**
 * The drawing in Graphviz's language.
 *
 * @see https://graphviz.org/doc/info/lang.html
 */
export function toDot({ boxes, arrows }: Drawing): string {
  const nodes = boxes.map(
    ({ lines, state: each }, at) =>
      `  n${at.toString()} [label="${lines.join('\\n')}", fillcolor="${stateColours[each]}"];`,
  );
  const edges = arrows.map(({ from, to, count }) => {
    const label = count > 1 ? ` [label="${count.toString()}"]` : '';
    return `  n${from.toString()} -> n${to.toString()}${label};`;
  });
  const node = '  node [shape=box, style="rounded,filled", fontname="sans-serif"];';
  return ['digraph plan {', '  rankdir=LR;', node, ...nodes, ...edges, '}', ''].join('\n');
}

/**
 * The drawing in Mermaid's language.
 *
 * @see https://mermaid.js.org/syntax/flowchart.html
 */
export function toMermaid({ boxes, arrows }: Drawing): string {
  const nodes = boxes.map(
    ({ lines, state: each }, at) => `  n${at.toString()}["${lines.join('<br/>')}"]:::${each}`,
  );
  const edges = arrows.map(({ from, to, count }) => {
    const label = count > 1 ? `|${count.toString()}|` : '';
    return `  n${from.toString()} -->${label} n${to.toString()}`;
  });
  const used = taskStates.filter((each) => boxes.some((box) => box.state === each));
  const classes = used.map((each) => `  classDef ${each} fill:${stateColours[each]},color:#000`);
  return ['flowchart LR', ...nodes, ...edges, ...classes, ''].join('\n');
}
