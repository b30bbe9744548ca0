/** Tasks that misbehave: the worker stays, the others' tasks finish, and the record says what happened. */
import test from 'ava';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';
import { failureRecords, statusOf } from './looks.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

test.serial(
  'tasks that misbehave in sixteen ways: the worker stays, all others finish, records say why',
  async (t) => {
    await using user = await projectOn(server, 'misbehaving', { JUGQ_ACK_WAIT: '10s' });
    const worker = user.start('worker', '-j2');
    const { status } = await user.run('plan', '--wait', 'jugfile.ts');
    t.is(status, 1);
    t.is(worker.process.exitCode, null, 'the worker that began is still there');
    const { functions } = await statusOf(user);
    t.is(functions['innocent']?.['finished'], 40);
    const failed = await failureRecords(user, server);
    t.deepEqual(Object.keys(failed).sort(), [
      'blocksForAWhile',
      'returnsGetter',
      'returnsTooMuch',
      'returnsTrap',
      'throwsMuch',
      'throwsNothing',
      'unrefs',
    ]);
    t.is(failed['blocksForAWhile']?.error.name, 'Timeout');
    t.regex(failed['returnsGetter']?.error.message ?? '', /getter .*result\.broken/);
    t.regex(failed['returnsTooMuch']?.error.message ?? '', /takes 10737418\d\d bytes, at most/);
    t.regex(failed['returnsTrap']?.error.message ?? '', /do not list/);
    t.true((failed['throwsMuch']?.error.message.length ?? 0) < 20_000, 'it fits a message');
    t.regex(failed['unrefs']?.error.message ?? '', /ended|timeout/);
    t.regex(
      worker.output(),
      /\[exitsLater\.\w+, after it had ended\] Exit: it called process\.exit\(3\)/,
    );
    t.regex(worker.output(), /\[throwsLater\.\w+, after it had ended\] Error: late/);
    t.regex(worker.output(), /\[patchesArray\] it changed Array\.prototype\.map: put back/);
    t.regex(worker.output(), /\[patchesPromise\] it changed Promise\.prototype\.then: put back/);
  },
);

for (const signal of ['SIGKILL', 'SIGSEGV'] as const) {
  test.serial(
    `a task that ends its process with ${signal}: four tries, a record that says so, nothing left in the queue`,
    async (t) => {
      const text = `
        import { appendFileSync } from 'node:fs';
        import { task } from 'jugq';
        task(function dies() {
          appendFileSync('ran.log', 'dies\\n');
          process.kill(process.pid, '${signal}');
          return new Promise(() => undefined);
        })();
        const live = task(function live(x: number) { return x; });
        for (let x = 0; x < 20; x++) live(x);`;
      await using user = await projectOn(server, 'stages');
      await user.write('jugfile.ts', text);
      const first = user.start('worker', '-j1');
      const planned = user.start('plan', '--wait', 'jugfile.ts');
      // In a thread it takes the whole process along, as anything in there might have.
      t.is((await first.finished).signal, signal);
      const second = user.start('worker', '-j1');
      t.is((await planned.finished).status, 1);
      t.is(second.process.exitCode ?? second.process.signalCode, null, 'the second one lives');
      const { dies } = await failureRecords(user, server);
      t.is(dies?.error.name, 'KilledItsWorker');
      t.regex(dies?.error.message ?? '', /died each time it was run \(3 times/);
      t.is((await executions(user)).length, 4);
      t.is((await statusOf(user)).functions['live']?.['finished'], 20);
      t.is((await statusOf(user)).totals['ready'], 0);
    },
  );
}

test.serial(
  'a task that blocks its thread for ever, without a timeout: others finish, and status says that it runs',
  async (t) => {
    const text = `
      import { task } from 'jugq';
      task(function blocks() { for (;;); })();
      const live = task(function live(x: number) { return x; });
      for (let x = 0; x < 20; x++) live(x);`;
    await using user = await projectOn(server, 'stages');
    await user.write('jugfile.ts', text);
    await user.run('plan', 'jugfile.ts');
    const worker = user.start('worker', '-j2');
    const status = await eventually('the others to finish', async () => {
      const now = await statusOf(user);
      return now.functions['live']?.['finished'] === 20 && now.totals['running'] === 1 && now;
    });
    t.is(status.functions['blocks']?.['running'], 1);
    // Whoever wants it back gets it: a second signal ends the thread, too.
    worker.process.kill('SIGINT');
    worker.process.kill('SIGTERM');
    t.is((await worker.finished).status, 0);
  },
);

test.serial(
  'a task in the middle of a chain of tiny ones ends its process: those before it stay, it alone is to blame',
  async (t) => {
    const text = `
      import { appendFileSync } from 'node:fs';
      import { task } from 'jugq';
      const step = task(function step(x: number, n: number): number {
        appendFileSync('ran.log', 'step ' + n + '\\n');
        if (n === 40) process.kill(process.pid, 'SIGKILL');
        return x + n;
      });
      let last = step(0, 0);
      for (let n = 1; n < 60; n++) last = step(last, n);`;
    await using user = await projectOn(server, 'stages', { JUGQ_ACK_WAIT: '3s' });
    await user.write('jugfile.ts', text);
    const { status, stderr } = await user.run('run', 'jugfile.ts', '-j1');
    t.is(status, 1, stderr);
    t.regex(stderr, /KilledItsWorker: its process died each time/);
    t.regex(stderr, /40 executed, 0 were there, 1 failed, 19 blocked behind them/);
    const ran = await executions(user);
    t.is(new Set(ran).size, 41);
    // With others in a thread, alone in a thread, and three times in a process of its own.
    t.true(ran.filter((each) => each === 'step 40').length <= 5);
    t.true(ran.filter((each) => each === 'step 41').length === 0);
  },
);
