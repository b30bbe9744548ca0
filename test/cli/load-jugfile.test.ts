/** A jugfile whose evaluation is kept, while something of its own goes on. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openJugfile, type OpenJugfile } from '../../cli/load-jugfile.ts';
import { encodeValue } from '../../core/codec.ts';
import { JugqError } from '../../core/errors.ts';
import type { ResultStore } from '../../worker/evaluate.ts';
import { userDirectory, type UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';

/** Begins every jugfile: `opened` resolves when the file `open` is there, and keeps the thread alive until then. */
const head = `
  import { existsSync } from 'node:fs';
  import { cached, task, value } from 'jugq';
  const one = task(function one(x: number): number { return x; });
  const opened = async (): Promise<void> => {
    while (!existsSync('open')) await new Promise((resolve) => setTimeout(resolve, 20));
  };
`;

interface Trial extends AsyncDisposable {
  readonly path: string;
  readonly jugfile: OpenJugfile;
  /** From now on every task has a result. */
  readonly finish: () => void;
  readonly failReads: () => void;
  /** Lets the jugfile's own work go on. */
  readonly open: () => Promise<void>;
}

/** A jugfile that has come as far as it goes without results. */
async function parked(text: string): Promise<Trial> {
  const user = await userDirectory({});
  // Its thread has the working directory of the tests.
  const placed = `${head}${text}`.replaceAll(/'(open|answered)'/g, `'${user.path}/$1'`);
  await user.write('jugfile.ts', placed);
  let there = false;
  let readable = true;
  const store: ResultStore = {
    shipsFiles: false,
    read: (ids) =>
      readable
        ? Promise.resolve(ids.map(() => (there ? encodeValue(1) : undefined)))
        : Promise.reject(new JugqError('SERVER_FAILED', 'the server is not there: start it')),
    readPiece: () => Promise.resolve(undefined),
    present: (ids) => Promise.resolve(ids.map(() => there)),
    presentIn: () => Promise.resolve(() => there),
    msEach: () => Promise.resolve(undefined),
    keep: (_id, bytes) => Promise.resolve(bytes),
  };
  const jugfile = await opened(user, store);
  return {
    path: user.path,
    jugfile,
    finish: () => {
      there = true;
    },
    failReads: () => {
      readable = false;
    },
    open: () => user.write('open', ''),
    async [Symbol.asyncDispose]() {
      await jugfile.close();
      await user[Symbol.asyncDispose]();
    },
  };
}

function opened({ path }: UserDirectory, store: ResultStore): Promise<OpenJugfile> {
  return openJugfile(`${path}/jugfile.ts`, {
    cwd: path,
    args: [],
    external: [],
    store,
    onWarning: () => undefined,
    onProgress: () => undefined,
  });
}

test('a jugfile that fails while it is parked: it ends then, and its own error is thrown', async (t) => {
  await using trial = await parked(`
    const service = async () => { await opened(); throw new Error('the web service is down'); };
    await Promise.all([value(one(1)), service()]);
  `);
  t.is(trial.jugfile.loaded.waits.length, 1);
  await trial.open();
  await trial.jugfile.ended;
  trial.finish();
  await t.throwsAsync(trial.jugfile.advance(), { message: /Error: the web service is down/ });
});

test('a jugfile that needs its wait no longer: it ends while parked, and is whole', async (t) => {
  await using trial = await parked(`
    await Promise.race([value(one(1)), opened()]);
    export const rest = one(2);
  `);
  t.is(trial.jugfile.loaded.graph.count, 1);
  await trial.open();
  await trial.jugfile.ended;
  const { waits, graph, exports } = await trial.jugfile.advance();
  t.deepEqual(waits, []);
  t.is(graph.count, 2);
  t.true(exports.has('rest'));
});

const asksLater = `
  import { writeFileSync } from 'node:fs';
  const later = async (): Promise<number> => {
    await opened();
    const seven = await cached(Math.abs, 7);
    writeFileSync('answered', '');
    return seven;
  };
  const [, seven] = await Promise.all([value(one(1)), later()]);
  export const last = one(seven);
`;

test('a question while it is parked that the store refuses: it ends with that error', async (t) => {
  await using trial = await parked(asksLater);
  trial.failReads();
  await trial.open();
  await trial.jugfile.ended;
  await t.throwsAsync(trial.jugfile.advance(), { code: 'SERVER_FAILED' });
});

test('a question while it is parked: it is answered, and goes on when its wait is met', async (t) => {
  await using trial = await parked(asksLater);
  await trial.open();
  await eventually('the answer', () => existsSync(join(trial.path, 'answered')));
  trial.finish();
  t.true((await trial.jugfile.advance()).exports.has('last'));
});
