import test from 'ava';
import { userDirectory } from '../kit/cli.ts';

test('a task that fills its memory: its own failure, named so, and the others finish', async (t) => {
  await using user = await userDirectory(
    {
      'jugfile.ts': `
        import { task } from 'jugq';
        const fills = task(function fills() {
          const all: number[][] = [];
          for (;;) all.push(new Array<number>(1e5).fill(all.length));
        });
        const fine = task(function fine(x: number) { return x; });
        fills();
        for (let i = 0; i < 5; i++) fine(i);
      `,
    },
    { NODE_OPTIONS: '--max-old-space-size=150' },
  );
  const { status, stderr } = await user.run('run', 'jugfile.ts', '-j', '2');
  t.is(status, 1);
  t.regex(stderr, /OutOfMemory: it ran out of memory/);
  t.regex(stderr, /5 executed, 0 were there, 1 failed/);
});
