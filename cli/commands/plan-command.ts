import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq plan`: publish and leave. */
export class PlanCommand extends JugqCommand {
  static override paths = [['plan']];
  static override usage = Command.Usage({
    category: 'Running',
    description: 'plan a jugfile and publish what is ready for the workers',
    details:
      'Prints how many tasks each function has, how many have a result, and how many were published, and returns; the workers carry the run on by themselves. Start them before or after with jugq worker.',
    examples: [
      ['Plan a jugfile', '$0 plan jugfile.ts'],
      ['And stay until it is done', '$0 plan --wait jugfile.ts'],
      ['Only see what would run', '$0 plan --dry-run jugfile.ts'],
    ],
  });

  jugfile = Option.String();
  args = Option.Rest();
  wait = Option.Boolean('--wait', false, {
    description: 'stay, with progress, until the run is done',
  });
  dryRun = Option.Boolean('--dry-run', false, {
    description: 'publish nothing; tell what would run and why, and how long it would take',
  });
  keepFailed = Option.Boolean('--keep-failed', false, {
    description: 'do not try again what failed before',
  });
  targets = Option.Array('--target', [], {
    description: 'only tasks that match, and what they need: a name, =name, /regex/ or task id',
  });
  failFast = Option.Boolean('--fail-fast', false, {
    description: 'end the run when a task has failed for good; what runs may finish',
  });
  replace = Option.Boolean('--replace', false, {
    description: 'cancel older runs of the same jugfile',
  });
  json = Option.Boolean('--json', false, { description: 'print a line of JSON for each event' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { loadHooks } = await import('../hooks.ts');
      const say = (line: string): void => {
        this.say(line);
      };
      const hooks = await loadHooks(session.settings, { cwd: session.cwd, say });
      const { dryRun } = await import('../dry-run.ts');
      const { planJugfile } = await import('../plan-jugfile.ts');
      const request = {
        jugfile: this.jugfile,
        args: this.args,
        keepFailed: this.keepFailed,
        replace: this.replace,
        targets: this.targets,
        failFast: this.failFast,
        json: this.json,
        hooks,
        context: this.context,
      };
      const status = await (this.dryRun
        ? dryRun(session, request)
        : planJugfile(session, request, { wait: this.wait }));
      await hooks.settle();
      return status;
    });
  }
}
