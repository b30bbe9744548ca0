import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq exec`: one task, here. */
export class ExecCommand extends JugqCommand {
  static override paths = [['exec']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'run one task here, with its real inputs; show its result and store nothing',
    details:
      'An export of a jugfile runs with the code as it is now, a task by the beginning of its id with that of the newest plan that declares it. It runs in the main thread, so that a debugger finds it. What it prints goes to stderr. Exit status 1: it threw, or something that it takes has no result yet.',
    examples: [
      ['An export', '$0 exec jugfile.ts best'],
      ['A task that failed', '$0 exec kmeans.q3fh'],
      ['Under a debugger', 'node --inspect-brk $(which jugq) exec kmeans.q3fh'],
    ],
  });

  what = Option.String();
  rest = Option.Rest();
  json = Option.Boolean('--json', false, { description: 'print the result as JSON' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { executeTask } = await import('../execute-task.ts');
      const { name, args } = this.named(this.rest);
      const { what, context } = this;
      const format = this.json ? 'json' : undefined;
      return executeTask(session, { what, name, args, format, context });
    });
  }
}
