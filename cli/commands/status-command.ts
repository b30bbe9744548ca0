import { Command, Option } from 'clipanion';
import { JugqError } from '../../core/errors.ts';
import { JugqCommand } from './base.ts';

/** `jugq status`: how things stand. */
export class StatusCommand extends JugqCommand {
  static override paths = [['status']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'how many tasks of each function are failed, waiting, ready, running and finished',
    details:
      'Of the active runs, else of the newest; with a jugfile, of its tasks, which evaluates it. Says who works, and what keeps a run from moving. Answers from the records of the runs, however many tasks they have; only --times and --stale read the heads of all results.',
    examples: [
      ['The active runs', '$0 status'],
      ['A jugfile', '$0 status jugfile.ts'],
      ['Why tasks have failed', '$0 status --failed'],
      ['Why those of a jugfile have', '$0 status --failed jugfile.ts'],
      ['And again every second', '$0 status --watch'],
      ['One line, and exit status 1 unless all is finished', '$0 status --short --exit-code'],
      ['How long tasks took', '$0 status --times'],
      ['A page that a browser keeps up to date', '$0 status --watch --html status.html'],
    ],
  });

  jugfileAndArgs = Option.Rest({ name: 'jugfile' });
  run = Option.String('--run', { description: 'this run, by the beginning of its id' });
  all = Option.Boolean('--all', false, { description: 'all runs, over or not' });
  failed = Option.Boolean('--failed', false, {
    description: 'what has failed, grouped by cause; with a jugfile or --run, and --json',
  });
  watch = Option.Boolean('--watch', false, { description: 'again every second until interrupted' });
  times = Option.Boolean('--times', false, {
    description: 'mean, 95th percentile and total of the durations of each function',
  });
  stale = Option.Boolean('--stale', false, {
    description: 'count the results that other code made than is planned now',
  });
  short = Option.Boolean('--short', false, { description: 'one line' });
  exitCode = Option.Boolean('--exit-code', false, {
    description: 'exit status 1 unless everything is finished',
  });
  html = Option.String('--html', {
    description: 'write a page to this file instead; with --watch, again and again',
  });
  json = Option.Boolean('--json', false, {
    description: 'one JSON document; with --watch, one a line',
  });

  override async execute(): Promise<number> {
    if (this.failed) this.#refuseWithFailed();
    return this.withSession(async (session) => {
      const { run, json, context } = this;
      const [jugfile, ...args] = this.jugfileAndArgs;
      if (this.failed) {
        const { showCauses } = await import('../show-failures.ts');
        return showCauses(session, { jugfile, args, run, json, context });
      }
      const { showStatus } = await import('../show-status.ts');
      return showStatus(session, {
        jugfile,
        args,
        run,
        all: this.all,
        times: this.times,
        stale: this.stale,
        short: this.short,
        exitCode: this.exitCode,
        html: this.html,
        watch: this.watch,
        json,
        context,
      });
    });
  }

  /** @throws JugqError `USAGE` if something is asked for that the causes of failures have not */
  #refuseWithFailed(): void {
    const flags = {
      '--watch': this.watch,
      '--html': this.html !== undefined,
      '--exit-code': this.exitCode,
      '--short': this.short,
      '--times': this.times,
      '--stale': this.stale,
      '--all': this.all,
      '--run': this.run !== undefined && this.jugfileAndArgs.length > 0,
    };
    const given = Object.entries(flags).flatMap(([flag, isGiven]) => (isGiven ? [flag] : []));
    if (given.length === 0) return;
    throw new JugqError(
      'USAGE',
      `--failed goes with a jugfile or --run, and with --json, got ${given.join(', ')} as well: leave one of them out`,
    );
  }
}
