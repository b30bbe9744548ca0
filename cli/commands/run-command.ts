import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';
import type { SettingFlags } from '../settings.ts';

/** `jugq run`: everything on this machine. */
export class RunCommand extends JugqCommand {
  static override paths = [['run']];
  static override usage = Command.Usage({
    category: 'Running',
    description: 'plan a jugfile and run it on this machine until it is done',
    details:
      'Plans the jugfile, starts a worker with a thread for each core, shows progress and ends when nothing is left to do. Results that are there already are not computed again. Needs no server: without one it starts a private one that keeps its data in .jugq/.',
    examples: [
      ['Run a jugfile', '$0 run jugfile.ts'],
      ['With arguments for its plan function', '$0 run jugfile.ts fast -- --seed=2'],
      ['Only what two functions need', '$0 run jugfile.ts --target =kmeans --target plot'],
      ['On two threads', '$0 run -j 2 jugfile.ts'],
    ],
  });

  jugfile = Option.String();
  args = Option.Rest();
  threads = Option.String('-j,--threads', {
    description: 'how many tasks run at a time (default: one a core)',
  });
  dryRun = Option.Boolean('--dry-run', false, {
    description: 'run nothing; tell what would run and why, and how long it would take',
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

  protected override moreFlags(): SettingFlags {
    return { threads: this.threads };
  }

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { loadHooks } = await import('../hooks.ts');
      const say = (line: string): void => {
        this.say(line);
      };
      const hooks = await loadHooks(session.settings, { cwd: session.cwd, say });
      const { dryRun } = await import('../dry-run.ts');
      const { runHere } = await import('../run-here.ts');
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
      const status = await (this.dryRun ? dryRun(session, request) : runHere(session, request));
      await hooks.settle();
      return status;
    });
  }
}
