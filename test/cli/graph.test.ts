/** `jugq graph` as a user types it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

interface Drawing {
  readonly boxes: readonly { readonly lines: readonly string[]; readonly state: string }[];
  readonly arrows: readonly {
    readonly from: number;
    readonly to: number;
    readonly count: number;
  }[];
}

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

test.serial('by function: as dot, Mermaid, SVG and HTML, coloured by state', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  await user.run('run', 'jugfile.ts');
  const dot = await user.run('graph');
  t.is(dot.status, 0, dot.stderr);
  t.regex(dot.stdout, /^digraph plan \{\n/);
  t.regex(dot.stdout, /label="someFail\\n7 of 10 finished\\n3 failed", fillcolor="#d55e00"/);
  t.regex(dot.stdout, /n0 -> n1 \[label="10"\];/);
  const mermaid = await user.run('graph', 'jugfile.ts', '--format', 'mermaid');
  t.regex(
    mermaid.stdout,
    /^flowchart LR\n {2}n0\["someFail<br\/>7 of 10 finished<br\/>3 failed"\]:::failed\n/,
  );
  t.regex(mermaid.stdout, /n0 -->\|10\| n1/);
  const { status, stderr } = await user.run('graph', '-o', 'plan.svg');
  t.is(status, 0, stderr);
  t.regex(stderr, /^wrote plan\.svg/);
  const svg = await readFile(join(user.path, 'plan.svg'), 'utf8');
  t.regex(svg, /<svg [^]*>someFail<\/text>[^]*<\/svg>/);
  t.true(svg.includes('#d55e00') && svg.includes('#e69f00'));
  await user.run('graph', '-o', 'plan.html');
  const html = await readFile(join(user.path, 'plan.html'), 'utf8');
  t.regex(html, /^<!doctype html>[^]*<h1>jugfile\.ts, run 01\w+<\/h1>[^]*<svg /);
});

test.serial('--tasks: a box for each task and an arrow for each dependency', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const drawing = await user.json<Drawing>('graph', '--tasks', '--json', 'jugfile.ts', '3');
  t.deepEqual(
    drawing.boxes.map((each) => [each.lines[0], each.state]),
    [
      ['square', 'ready'],
      ['square', 'ready'],
      ['square', 'ready'],
      ['sum', 'waiting'],
    ],
  );
  t.deepEqual(
    drawing.arrows,
    [0, 1, 2].map((from) => ({ from, to: 3, count: 1 })),
  );
  t.regex((await user.run('graph', 'nope.ts')).stderr, /^error: no such jugfile: nope\.ts/);
  const none = await user.run('graph');
  t.is(none.status, 2);
  t.regex(none.stderr, /has no runs/);
});

test.serial('no task; too many for --tasks; an unknown format', async (t) => {
  await using user = await projectOn(server, 'nothing');
  t.deepEqual(await user.json<Drawing>('graph', '--json', 'jugfile.ts'), { boxes: [], arrows: [] });
  await user.write(
    'many.ts',
    `import { task } from 'jugq';
     const f = task(function f(x: number) { return x; });
     export const all = Array.from({ length: 3000 }, (_, x) => f(x));`,
  );
  const refused = await user.run(
    'graph',
    '--tasks',
    '--limit',
    '2999',
    '-o',
    'many.svg',
    'many.ts',
  );
  t.is(refused.status, 2);
  t.regex(
    refused.stderr,
    /^error: --tasks: placing 3000 boxes and 0 arrows .* give --limit 3000$/m,
  );
  const drawn = await user.run('graph', '--tasks', '-o', 'many.svg', 'many.ts');
  t.is(drawn.status, 0, drawn.stderr);
  const svg = await readFile(join(user.path, 'many.svg'), 'utf8');
  t.is(svg.match(/<g id="node/g)?.length, 3000);
  const written = await user.run('graph', '--tasks', '--limit', '1', 'many.ts');
  t.is(written.status, 0, 'a language holds any number');
  t.is(written.stdout.match(/^ {2}n\d+ \[/gm)?.length, 3000);
  t.is((await user.run('graph', 'many.ts')).status, 0);
  t.is((await user.run('graph', '--format', 'png', 'many.ts')).status, 2);
  const picture = await user.run('graph', '-o', 'many.png', 'many.ts');
  t.is(picture.status, 2);
  t.regex(picture.stderr, /^error: -o many\.png: expected a name that ends in \.svg, /m);
});

test.serial(
  '--tasks of a tangle: tells that it lasts, and ends at once when it is interrupted',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    await user.write(
      'tangle.ts',
      `import { task } from 'jugq';
     const f = task(function f(x: number, others: number[]) { return x + others.length; });
     const all: ReturnType<typeof f>[] = [];
     for (let x = 0; x < 2500; x++)
       all.push(f(x, [1, 2, 3, 4, 5].flatMap((k) => all.slice(0, (x * 7919 * k) % 2503)[(x * k * 31) % 97] ?? [])));
     export const last = all.at(-1);`,
    );
    const drawing = user.start('graph', '--tasks', '-o', 'tangle.svg', 'tangle.ts');
    await drawing.printed(/Graphviz places boxes and arrows/);
    drawing.process.kill('SIGINT');
    const { status, stderr } = await drawing.finished;
    t.is(status, 130, stderr);
  },
);

test.serial('while a worker runs: what runs is running', async (t) => {
  await using user = await projectOn(server, 'gated');
  await user.run('plan', 'jugfile.ts');
  const worker = user.start('worker', '-j2');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  await eventually('the worker to report them', async () => {
    const { boxes } = await user.json<Drawing>('graph', '--json');
    return boxes[0]?.state === 'running' && boxes[1]?.state === 'waiting';
  });
  t.pass();
  await user.write('open', '');
  worker.process.kill('SIGTERM');
  await worker.finished;
});
