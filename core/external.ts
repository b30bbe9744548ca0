/** `shell`: an external program as a task. What is written here travels; `worker/external-program.ts` runs it. */
import { isAbsolute, normalize, sep } from 'node:path';
import { inspect } from 'node:util';
import { JugqError } from './errors.ts';
import { isFileHandle } from './files.ts';
import { defineOwn } from './own-definitions.ts';
import { stageRuns } from './stages.ts';
import {
  callerLine,
  declareCall,
  type Arg,
  type Task,
  type TaskHandle,
  type TaskOptions,
} from './task.ts';

export interface ShellOptions<O extends string = string> extends TaskOptions {
  /** What `status` and `invalidate` call it, with `/shell` behind it; default: the program's own name. */
  readonly name?: string;
  /** Files that are there when it begins, by name: their text or bytes, or a `file()`. */
  readonly inputs?: Readonly<Record<string, Arg<string | Uint8Array>>>;
  /** Files that it leaves: they are part of the result. */
  readonly outputs?: readonly O[];
  /**
   * Where it runs, on the worker; default: a directory of its own, removed afterwards, if there are inputs or outputs,
   * else the working directory of the worker.
   */
  readonly cwd?: Arg<string>;
  /** Environment variables beside those of the worker. */
  readonly env?: Readonly<Record<string, Arg<string>>>;
  /** What it reads from its standard input; default: nothing. */
  readonly stdin?: Arg<string | Uint8Array>;
}

/** What a program has left when it ends with exit status 0; any other fails the task. */
export interface ShellResult<O extends string = string> {
  readonly stdout: string;
  readonly stderr: string;
  readonly outputs: Readonly<Record<O, Uint8Array>>;
}

/** The argument of the task, with values in it. */
export interface ShellCall {
  readonly command: string;
  readonly args: readonly (string | number)[];
  readonly inputs?: Readonly<Record<string, ShellInput>>;
  readonly outputs?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
}

export type ShellInput = { readonly content: string | Uint8Array } | { readonly path: string };

/**
 * An external program as a task. There is no shell between: arguments reach it as they are. Its name, arguments and what
 * the options `inputs`, `outputs`, `cwd`, `env` and `stdin` say are the identity of the task; the program itself is not.
 *
 * @param command - found by the PATH of the worker, or a path there
 * @throws JugqError `USAGE`, and what `task()` throws
 */
export function shell<const O extends string = never>(
  command: string,
  args?: readonly Arg<string | number>[],
  options?: ShellOptions<O>,
): Task<ShellResult<O>>;
/** As seen from within. */
export function shell(
  command: unknown,
  args: readonly unknown[] = [],
  options: ShellOptions = {},
): TaskHandle | object {
  if (typeof command !== 'string' || command === '') {
    throw new JugqError(
      'USAGE',
      `shell(): expected the name of a program, got ${inspect(command, { depth: 0 })}: ${callerLine()}`,
    );
  }
  const { name, inputs, outputs, cwd, env, stdin, ...taskOptions } = options;
  const definition = defineOwn(
    {
      name: `${name ?? nameOf(command)}/shell`,
      run: stageRuns.shell,
      sources: [],
      options: taskOptions,
    },
    "give both the same, or one of them a name: { name: '…' }",
  );
  for (const each of [...Object.keys(inputs ?? {}), ...(outputs ?? [])]) requireInside(each);
  const call = {
    command,
    args,
    ...(inputs === undefined ? {} : { inputs: mapValues(inputs, inputOf) }),
    ...(outputs === undefined ? {} : { outputs }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(stdin === undefined ? {} : { stdin }),
  };
  return declareCall(definition, [call]);
}

/** Of a path the last part; what cannot be part of a task's id is replaced. */
function nameOf(command: string): string {
  const last = command.split(/[\\/]/).findLast((part) => part !== '') ?? '';
  const name = last.replace(/[^A-Za-z0-9_-]+/g, '_');
  return name === '' ? 'program' : name;
}

function inputOf(input: unknown): { readonly content: unknown } | { readonly path: unknown } {
  return isFileHandle(input) ? { path: input } : { content: input };
}

function requireInside(name: string): void {
  const normal = normalize(name);
  if (name !== '' && !isAbsolute(name) && normal !== '..' && !normal.startsWith(`..${sep}`)) return;
  throw new JugqError(
    'USAGE',
    `shell(): expected inputs and outputs below the directory it runs in, got ${JSON.stringify(name)}: ${callerLine()}: give a path without ..`,
  );
}

function mapValues<V, W>(
  values: Readonly<Record<string, V>>,
  map: (value: V) => W,
): Record<string, W> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value)]));
}
