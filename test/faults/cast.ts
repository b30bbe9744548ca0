/** The processes of a storm: workers and a planner, each behind a proxy of its own, and each replaced when it ends. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Started, UserDirectory } from '../kit/cli.ts';
import { startProxy, type TcpProxy } from '../kit/tcp-proxy.ts';

/** A part that some process plays: when one ends, another takes it on. */
export interface Part {
  readonly name: string;
  readonly proxies: readonly TcpProxy[];
  /** Of the process that plays it now. */
  pid: number;
  process: Started;
  /** All that ever played it. */
  readonly pids: number[];
}

export interface Cast extends AsyncDisposable {
  readonly workers: readonly Part[];
  readonly planner: Part;
  /** Resolves with the exit status of a planner that came to its end by itself. */
  readonly planned: Promise<number>;
  readonly all: () => readonly Part[];
  /** Whose process, or whose dispatcher, this is. */
  readonly partOf: (pid: number) => Part | undefined;
  /** From now on nobody is replaced. */
  readonly rest: () => void;
}

export interface CastOptions {
  readonly user: UserDirectory;
  readonly ports: readonly number[];
  readonly workers: number;
  readonly threads: number;
  readonly planArguments: readonly string[];
  readonly note: (text: string) => void;
}

const replaceAfterMs = 300;

/** Starts them all. */
export async function startCast(options: CastOptions): Promise<Cast> {
  const { user, note } = options;
  let resting = false;
  let plannedWith: (status: number) => void = () => undefined;
  const planned = new Promise<number>((resolve) => {
    plannedWith = resolve;
  });

  const play = (part: Omit<Part, 'pid' | 'process'>, args: readonly string[]): Started => {
    const env = { NATS_URL: part.proxies.map((each) => `127.0.0.1:${each.port}`).join(',') };
    return user.startWith(env, ...args);
  };
  const start = async (
    name: string,
    args: readonly string[],
    onEnd: (status: number | null, output: string) => boolean,
  ): Promise<Part> => {
    const proxies = await Promise.all(options.ports.map((port) => startProxy(port)));
    const blank = { name, proxies, pids: [] as number[] };
    const first = play(blank, args);
    const part: Part = { ...blank, process: first, pid: first.pid };
    const follow = (): void => {
      part.pids.push(part.pid);
      const { process } = part;
      void process.finished.then(async ({ status, signal }) => {
        const last = process.output().trimEnd().split('\n').at(-1) ?? '';
        note(`${name} (${part.pid}) ended with ${signal ?? `${String(status)}: ${last}`}`);
        if (!onEnd(status, process.output()) || resting) return;
        await delay(replaceAfterMs);
        if (isResting()) return;
        part.process = play(part, args);
        part.pid = part.process.pid;
        note(`${name} is played by ${part.pid} now`);
        follow();
      });
    };
    follow();
    return part;
  };
  // Another function may have changed it while this one waited.
  const isResting = (): boolean => resting;
  const workers = await Promise.all(
    Array.from({ length: options.workers }, (_, at) =>
      start(`worker ${at + 1}`, ['worker', '-j', options.threads.toString()], () => true),
    ),
  );
  const planner = await start(
    'planner',
    ['plan', '--wait', ...options.planArguments],
    (status, output) => {
      if (status === null || status === 3) return true;
      if (status !== 0) note(`the planner said: ${output.slice(-1500)}`);
      plannedWith(status);
      return false;
    },
  );
  const all = (): readonly Part[] => [...workers, planner];
  return {
    workers,
    planner,
    planned,
    all,
    partOf: (pid) => all().find((each) => each.pids.includes(pid)),
    rest: () => {
      resting = true;
    },
    [Symbol.asyncDispose]: async () => {
      resting = true;
      for (const part of all()) part.process.process.kill('SIGKILL');
      for (const part of all())
        for (const proxy of part.proxies) await proxy[Symbol.asyncDispose]();
    },
  };
}
