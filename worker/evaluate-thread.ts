/**
 * The thread that evaluates one jugfile once: it imports the bundle while a recording stands in the context, calls its
 * default export if that is a function, and hands the graph over.
 */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { encodeArguments } from '../core/codec.ts';
import { invariant, JugqError } from '../core/errors.ts';
import { installJugfileApi } from '../core/jugfile-api.ts';
import { PlainFunctions } from '../core/plain-functions.ts';
import { Recording, type Snapshot } from '../core/recording.ts';
import { formatUserError, userFrames, type FrameOptions } from '../core/stack.ts';
import { isStandIn, refer } from '../core/stand-in.ts';
import { currentEvaluation, definitionOf, type TaskHandle } from '../core/task.ts';
import type {
  Declarations,
  EncodedExport,
  EvaluateReply,
  EvaluateRequest,
} from './evaluate-protocol.ts';
import { PlanningSession } from './planning-session.ts';
import { captureOutput } from './user-output.ts';

invariant(parentPort !== null, 'the evaluation runs in a thread');
const port = parentPort;
const request = workerData as EvaluateRequest;

process.setSourceMapsEnabled(true);
// An argument is hashed up to 256 levels below the user's call; the default of 10 frames would end before it.
Error.stackTraceLimit = 2000;
captureOutput(() => ({ mark: 'jugfile' }));
installJugfileApi();
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

const recording = new Recording(new Int32Array(request.progress));
const planner = new PlanningSession({
  recording,
  port,
  shipsFiles: request.shipsFiles,
  onParked: (snapshot, waits) => {
    send({ kind: 'parked', ...declarations(snapshot), waits });
  },
  onError: fail,
});
const { definitions } = recording;
const plainFunctions = new PlainFunctions();
try {
  send(
    await currentEvaluation.run(
      { definitions, recorder: recording, planner, plainFunctions },
      evaluate,
    ),
  );
} catch (error) {
  fail(error);
}

async function evaluate(): Promise<EvaluateReply> {
  const module = (await import(pathToFileURL(request.file).href)) as Record<string, unknown>;
  const { default: main, ...named } = module;
  const exports = new Map(Object.entries(named));
  if (typeof main === 'function' && definitionOf(main) === undefined) {
    requireOneParameter(main);
    const returned: unknown = await (main as (args: readonly string[]) => unknown)(request.args);
    if (isStandIn(returned) || typeof returned !== 'object') exports.set('default', returned);
    else for (const [name, value] of Object.entries(returned ?? {})) exports.set(name, value);
  } else if (main !== undefined) {
    exports.set('default', main);
    // All exports of a CommonJS module are properties of the one thing that it exports.
    if (exports.size === 1 && isPlainObject(main))
      for (const [name, value] of Object.entries(main)) exports.set(name, value);
  }
  await planner.expanded();
  const snapshot = recording.snapshot();
  const encoded = [...exports].map(
    ([name, value]) => [name, encodeExport(name, value, snapshot)] as const,
  );
  return { kind: 'evaluated', ...declarations(snapshot), exports: new Map(encoded) };
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** Whoever writes `plan(first, second)` would get all arguments as the first, and in plain JavaScript not know it. */
function requireOneParameter({ length }: { readonly length: number }): void {
  if (length <= 1) return;
  throw new JugqError(
    'USAGE',
    `the plan function (the default export) declares ${length.toString()} parameters, and gets one, the list of all arguments: write plan(args: string[]), or plan([first, second]: string[])`,
  );
}

function declarations({ graph, open, kept, expansions }: Snapshot): Declarations {
  const sources = recording.functions.map((each) => [each.name, each.sources.map(String)] as const);
  return { graph, open, kept, expansions, sources: new Map(sources) };
}

function encodeExport(name: string, value: unknown, { positionOf }: Snapshot): EncodedExport {
  if (typeof value === 'function') return { kind: 'unsupported', why: `${name} is a function` };
  try {
    const placeOf = (task: TaskHandle): number => positionOf(task.declared.position);
    const bytes = encodeArguments([value], (each) =>
      isStandIn(each) ? each[refer](placeOf) : definitionOf(each)?.name,
    );
    return { kind: 'value', bytes };
  } catch (error) {
    if (!(error instanceof JugqError)) throw error;
    return { kind: 'unsupported', why: error.message };
  }
}

function fail(error: unknown): void {
  const options = { directory: request.directory, exists: existsSync };
  if (error instanceof JugqError) {
    send({ kind: 'failed', code: error.code, message: withPlace(error, options) });
  } else {
    send({ kind: 'failed', code: 'JUGFILE_THREW', message: formatUserError(error, options) });
  }
}

/** The message with the user's line that led to it, unless it names that line itself. */
function withPlace({ message, stack = '' }: JugqError, options: FrameOptions): string {
  const [frame] = userFrames(stack, options);
  const [relative = ''] = userFrames(stack);
  const [place = relative] = /[^\s(]+:\d+:\d+/.exec(relative) ?? [];
  return frame === undefined || message.includes(place) ? message : `${message}\n    ${frame}`;
}

function send(reply: EvaluateReply): void {
  const transfer =
    'graph' in reply
      ? [
          reply.graph.hashes.buffer,
          reply.graph.functionOf.buffer,
          reply.graph.dependencies.start.buffer,
          reply.graph.dependencies.items.buffer,
          reply.graph.argumentStart.buffer,
          reply.graph.argumentBytes.buffer,
        ]
      : [];
  port.postMessage(reply, transfer as ArrayBuffer[]);
}
