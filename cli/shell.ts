/** `jugq shell`: a prompt of Node's with a jugfile's exports, values of tasks, and the tasks themselves. */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { createInterface } from 'node:readline';
import { start, type REPLServer } from 'node:repl';
import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import { ulid } from 'ulid';
import { JugqError } from '../core/errors.ts';
import { functionOf, idOf } from '../core/graph.ts';
import type { RunId } from '../core/identifiers.ts';
import { parsePattern, parsePatterns } from '../core/patterns.ts';
import type { CommandContext } from './commands/base.ts';
import { describeTask } from './describe-task.ts';
import { decodeExport, resolveResults, TaskPlace, tasksIn } from './find-result.ts';
import { findTask } from './find-task.ts';
import { findDoomed, invalidateDoomed } from './invalidate.ts';
import type { LoadedJugfile } from './load-jugfile.ts';
import { lookAtJugfile } from './look-at-jugfile.ts';
import type { Session } from './session.ts';
import { taskStates } from '../core/records.ts';
import { stateName } from './state-names.ts';
import { survey } from './submit-run.ts';

/** What can be called at the prompt. */
const helpText = `value(x)                  the value of a task, an id, or a structure with tasks in it
tasks({ state, name })    the tasks of the jugfile; both may be left out; name is a pattern as on the command line
describe(x)               where a task's result came from
invalidate(x)             the results of tasks, or of what a pattern hits, go, and all that was made of them
                          (these are promises: shown when they are there; to go on with one, await it)
exports                   the exports of the jugfile, which are also there by their names
.help                     what the prompt itself can do`;

export interface ShellRequest {
  readonly jugfile: string;
  readonly args: readonly string[];
  readonly context: CommandContext;
}

/** A task in a listing. */
interface ListedTask {
  readonly id: string;
  readonly state: string;
}

/** Opens a prompt; ends with it. Where no terminal is there the lines of stdin are evaluated. */
export async function openShell(session: Session, request: ShellRequest): Promise<number> {
  const { context } = request;
  const { stdin, stdout, stderr, interrupted } = context;
  const loaded = await lookAtJugfile(session, request, context);
  for (const { place } of loaded.waits) {
    stderr.write(`note: planning waits at ${place}: nothing is exported yet\n`);
  }
  const promised = new WeakSet<object>();
  const words = offered(session, loaded, promised);
  if (stdout.isTTY !== true) return evaluateLines(words, promised, context);
  stderr.write(`${request.jugfile}: ${loaded.graph.count.toString()} tasks\n${helpText}\n`);
  const repl = start({
    prompt: 'jugq> ',
    input: stdin,
    output: stdout,
    terminal: true,
    // So that objects made at the prompt are of the same kind as those that jugq knows.
    useGlobal: true,
    writer: (value: unknown) => inspect(value, { colors: true, depth: shownDepth }),
  });
  const ended = new Promise<void>((resolve) => repl.once('exit', resolve));
  Object.assign(repl.context, words);
  showWhenThere(repl, promised);
  await rememberHistory(repl, context.env);
  interrupted.addEventListener('abort', () => {
    repl.close();
  });
  await ended;
  return 0;
}

const shownDepth = 4;

/**
 * Evaluates the lines of stdin in turn, as a prompt would: one that is not whole goes on in the next.
 *
 * Left alone, Node's prompt takes the next line before the last one's promise is settled, unless a terminal is there.
 * So each line is handed over only when the prompt shows that it waits for one.
 *
 * @returns exit status 1 if one of them threw
 */
async function evaluateLines(
  words: Readonly<Record<string, unknown>>,
  promised: WeakSet<object>,
  { stdin, stdout, stderr }: CommandContext,
): Promise<number> {
  const input = new PassThrough();
  const output = new PassThrough();
  const answers = promptAnswers(output);
  const repl = start({
    prompt: ready,
    input,
    output,
    terminal: false,
    useGlobal: true,
    ignoreUndefined: true,
    writer: (value: unknown) => inspect(value, { depth: shownDepth }),
  });
  Object.assign(repl.context, words);
  // After `.exit` there is no prompt any more.
  repl.once('exit', () => output.end());
  showWhenThere(repl, promised);
  await answers.next();
  let status = 0;
  for await (const line of createInterface({ input: stdin })) {
    input.write(`${line}\n`);
    const { value: answer = '', done = false } = await answers.next();
    if (done) break;
    // A text among the values stands in quotes, so only an error begins so.
    const isError = answer.startsWith('Uncaught');
    if (isError) status = 1;
    (isError ? stderr : stdout).write(answer);
  }
  repl.close();
  return status;
}

/** Nothing that is printed looks so. */
const ready = '\u0000ready\u0000';
/** What Node shows where a line is not whole; how it looks has changed over its versions. */
const goOn = /(?:^|\n)(?:\.\.\.|\|) ?$/;

/** What is printed from one prompt to the next. */
async function* promptAnswers(output: PassThrough): AsyncGenerator<string, undefined, undefined> {
  let text = '';
  for await (const chunk of output.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    const isDone = text.endsWith(ready);
    if (!isDone && !goOn.test(text)) continue;
    yield isDone ? text.slice(0, -ready.length) : '';
    text = '';
  }
  return undefined;
}

/** What jugq's own words have promised is shown when it is there: at a prompt nobody means the promise. */
function showWhenThere(repl: REPLServer, promised: WeakSet<object>): void {
  const evaluate = repl.eval;
  const own: REPLServer['eval'] = function (this: REPLServer, line, context, file, done) {
    evaluate.call(this, line, context, file, (error, result: unknown) => {
      if (error !== null || !(result instanceof Promise) || !promised.has(result)) {
        done(error, result);
        return;
      }
      result.then(
        (value: unknown) => {
          done(null, value);
        },
        (why: unknown) => {
          done(why instanceof Error ? why : new Error(String(why)), undefined);
        },
      );
    });
  };
  Object.assign(repl, { eval: own });
}

/** What the prompt knows by name; an export never hides one of jugq's own words, and is there in `exports`, too. */
function offered(
  session: Session,
  loaded: LoadedJugfile,
  promised: WeakSet<object>,
): Record<string, unknown> {
  const { project } = session;
  const promise =
    <A extends unknown[]>(word: (...args: A) => Promise<unknown>) =>
    (...args: A): Promise<unknown> => {
      const given = word(...args);
      promised.add(given);
      return given;
    };
  const exports = exportsOf(loaded);
  return {
    ...exports,
    exports,
    value: promise((x: unknown) => resolveResults(project, placeOf(x))),
    tasks: promise((wanted: TaskWish = {}) => listTasks(session, loaded, readWish(wanted))),
    invalidate: promise(async (x: unknown) => {
      // A text is a pattern; the id of a task is one, too.
      const texts = typeof x === 'string' ? [x] : [...tasksIn(placeOf(x))];
      const doomed = await findDoomed(project, { patterns: parsePatterns(texts) });
      return invalidateDoomed(project, doomed, () => undefined);
    }),
    describe: promise(async (x: unknown) => {
      const place = placeOf(x);
      if (!(place instanceof TaskPlace)) {
        throw new JugqError('USAGE', 'describe(x): expected a task or its id: see tasks()');
      }
      const found = await findTask(project, place.id);
      return describeTask(project, found, { depth: 2, width: 10 });
    }),
  };
}

function exportsOf(loaded: LoadedJugfile): Record<string, unknown> {
  const named = [...loaded.exports].flatMap(([name, each]) =>
    each.kind === 'value' ? [[name, decodeExport(loaded, each.bytes)] as const] : [],
  );
  return Object.fromEntries(named);
}

/** A listed task and an id stand for the task. */
function placeOf(x: unknown): unknown {
  if (typeof x === 'string') return new TaskPlace(x as TaskPlace['id']);
  if (typeof x === 'object' && x !== null && 'id' in x && 'state' in x) return placeOf(x.id);
  return x;
}

/** Which tasks are to be listed. */
interface TaskWish {
  readonly state?: string;
  readonly name?: string;
}

/** Told at once what it cannot mean, instead of an empty list. */
function readWish(wish: TaskWish): TaskWish {
  const states: readonly string[] = taskStates;
  const expected = `tasks({ state, name }): expected`;
  for (const key of Object.keys(wish)) {
    if (key !== 'state' && key !== 'name')
      throw new JugqError('USAGE', `${expected} state or name, got ${key}`);
  }
  if (wish.state !== undefined && !states.includes(wish.state))
    throw new JugqError('USAGE', `${expected} ${states.join(', ')}, got ${wish.state}`);
  return wish;
}

async function listTasks(
  session: Session,
  loaded: LoadedJugfile,
  { state: wanted, name }: TaskWish,
): Promise<ListedTask[]> {
  const pattern = name === undefined ? undefined : parsePattern(name);
  const run = { id: ulid() as RunId, keepFailed: true };
  const { progress } = await survey(session.project, loaded, run);
  const { graph } = loaded;
  const found: ListedTask[] = [];
  for (let task = 0; task < graph.count; task++) {
    const state = stateName(progress, task);
    if (wanted !== undefined && state !== wanted) continue;
    if (pattern?.matchesFunction(functionOf(graph, task).name) === false) continue;
    const id = idOf(graph, task);
    if (pattern === undefined || id.slice(id.lastIndexOf('.') + 1).startsWith(pattern.hash))
      found.push({ id, state });
  }
  return found;
}

/** @see XDG Base Directory Specification: what has happened is state, and a relative path is ignored */
async function rememberHistory(repl: REPLServer, env: NodeJS.ProcessEnv): Promise<void> {
  const named = env['XDG_STATE_HOME'] ?? '';
  const home = isAbsolute(named) ? named : join(env['HOME'] ?? homedir(), '.local', 'state');
  const directory = join(home, 'jugq');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch {
    // A home that cannot be written has no history; the prompt works all the same.
    return;
  }
  await new Promise<void>((resolve) => {
    repl.setupHistory(join(directory, 'shell-history'), () => {
      resolve();
    });
  });
}
