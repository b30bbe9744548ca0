/** What a program may and may not write, as the compiler sees it. */
import {
  connect,
  isJugqError,
  type ConnectOptions,
  type ErrorCode,
  type Jug,
  type RunEnd,
  type Task,
} from 'jugq';

interface Jugfile {
  readonly best: Task<number>;
  readonly parts: readonly Task<string[]>[];
  readonly label: string;
}

function seen(..._values: unknown[]): void {
  // What is given to it counts as used.
}

export async function program(): Promise<void> {
  const settings: ConnectOptions = { server: 'nats://host:4222', project: 'p', lease: '5s' };
  await using jug: Jug = await connect({
    ...settings,
    onNotice: (_message: string) => undefined,
  });
  const { best, parts, label } = await jug.load<Jugfile>('jugfile.ts', {
    args: ['--fast'],
    wait: true,
  });
  const value: number = await jug.result(best);
  const lists: string[][] = await jug.result(parts);
  const all: { a: number; b: [string, string[][]] } = await jug.result({
    a: best,
    b: [label, parts] as [string, typeof parts],
  });
  const finished: boolean = await jug.isFinished([best, parts]);
  const run = await jug.plan('jugfile.ts', { args: [], keepFailed: true });
  const end: RunEnd = await jug.wait(run, { timeoutMs: 1000 });
  const again: RunEnd = await jug.wait(run.id);
  const untyped = await jug.load('jugfile.ts');
  const unknown: unknown = untyped['best'];
  seen(value, lists, all, finished, end.executed, again.state, unknown);

  // @ts-expect-error a number is no text
  const text: string = await jug.result(best);
  // @ts-expect-error there is no such export
  const other: unknown = (await jug.load<Jugfile>('jugfile.ts')).worst;
  // @ts-expect-error one waits or does not
  await jug.load('jugfile.ts', { wait: 'yes' });
  // @ts-expect-error the arguments are a list
  await jug.plan('jugfile.ts', { args: '--fast' });
  // @ts-expect-error there is no such setting
  await connect({ servre: 'nats://host:4222' });
  // @ts-expect-error what an untyped jugfile exports may be anything
  const guessed: number = untyped['best'];
  seen(text, other, guessed);
}

export function explain(error: unknown): ErrorCode | undefined {
  // @ts-expect-error there is no such code
  isJugqError(error, 'NO_SUCH_CODE');
  return isJugqError(error, 'RESULT_MISSING') ? error.code : undefined;
}
