/**
 * Learns which tasks of a graph have a result, in the cheapest way that there is.
 *
 * Few tasks are asked for one by one; many are found by reading the heads of all entries of their functions; and where a
 * plan says what was there when it was made, only what came later is read.
 */
import type { JetStreamManager, NatsConnection, StreamInfo } from 'nats';
import { functionOf, idOf, TaskIndex, type Graph } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import { knownIn, type KnownResult, type PastResults } from '../core/known-results.ts';
import { isMarker } from './bucket.ts';
import { follow } from './follow.ts';
import { patiently } from './patience.ts';
import { factsIn, isStale, type ResultFacts } from './result-facts.ts';
import { subjectsOf } from './result-heads.ts';
import type { ResultEntry } from './results.ts';
import { isStill } from './stream-state.ts';

/** Where results are read. */
export interface ResultsSource {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly stream: string;
  /** Subject of a key without the key. */
  readonly prefix: string;
  /** By the leader's word. */
  readonly information: StreamInfo;
  /** Asks for the last entry of a task, the leader where there are replicas. */
  readonly readLast: (id: TaskId) => Promise<ResultEntry | undefined>;
}

/**
 * Costs of learning what exists, measured on two cores: one pipelined get, of any replica or of the leader, one head of
 * a scan, a byte, a scan's start.
 */
const askEachMs = 0.04;
const askLeaderEachMs = 0.1;
const scanEachMs = 0.006;
const byteMs = 2e-6;
const scanStartMs = 5;
const askWindow = 256;

/**
 * What is there of the tasks of a graph, values and markers: all that was there when it was called.
 *
 * @param past - what was there at some time, of the same graph
 */
export async function learnResults(
  source: ResultsSource,
  graph: Graph,
  past?: PastResults,
): Promise<KnownResult[]> {
  const { state, config } = source.information;
  if (graph.count === 0 || state.messages === 0) return [];
  const eachMs = config.num_replicas > 1 ? askLeaderEachMs : askEachMs;
  const askMs = graph.count * (eachMs + (state.bytes / state.messages) * byteMs);
  const scanMs = (messages: number): number => messages * scanEachMs + scanStartMs;
  const cheapestMs = Math.min(askMs, scanMs(state.messages));
  if (past !== undefined) {
    const since = state.last_seq - past.upTo.revision;
    const sinceMs = since === 0 ? 0 : scanMs(since);
    if (sinceMs < cheapestMs && (await isPastStill(source, past))) {
      return since === 0 ? [...knownIn(past)] : scan(source, graph, past);
    }
  }
  return askMs === cheapestMs ? ask(source, graph) : scan(source, graph);
}

function isPastStill(
  { connection, manager, stream, information }: ResultsSource,
  { upTo }: PastResults,
): Promise<boolean> {
  return patiently(connection, `reading ${stream}`, () => isStill(manager, information, upTo));
}

async function ask({ readLast }: ResultsSource, graph: Graph): Promise<KnownResult[]> {
  const known: KnownResult[] = [];
  const open = new Set<Promise<void>>();
  for (let task = 0; task < graph.count; task++) {
    const one = readLast(idOf(graph, task)).then((entry) => {
      open.delete(one);
      if (entry === undefined) return;
      const { revision, present, facts } = entry;
      known.push({ task, revision, present, stale: isMadeByOtherCode(graph, task, facts) });
    });
    open.add(one);
    if (open.size >= askWindow) await Promise.race(open);
  }
  await Promise.all(open);
  return known;
}

async function scan(
  { connection, manager, stream, prefix }: ResultsSource,
  graph: Graph,
  past?: PastResults,
): Promise<KnownResult[]> {
  const index = new TaskIndex(graph);
  const known = new Map<number, KnownResult>();
  if (past !== undefined) for (const each of knownIn(past)) known.set(each.task, each);
  const following = follow(connection, manager, {
    stream,
    from: (past?.upTo.revision ?? 0) + 1,
    headersOnly: true,
    ...subjectsOf(
      prefix,
      graph.functions.map((each) => each.name),
    ),
    onMessage: (message) => {
      const task = index.findHash(message.subject.slice(message.subject.lastIndexOf('.') + 1));
      if (task === -1) return;
      const { sequence: revision, headers: all } = message;
      const stale = isMadeByOtherCode(graph, task, factsIn(all));
      known.set(task, { task, revision, present: !isMarker(all), stale });
    },
    onReplaced: () => {
      known.clear();
    },
  });
  await following.caughtUp;
  following.stop();
  return [...known.values()];
}

function isMadeByOtherCode(graph: Graph, task: number, facts: ResultFacts | undefined): boolean {
  return isStale(facts, functionOf(graph, task).fingerprint);
}
