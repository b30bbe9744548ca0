import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';
import type { SettingFlags } from '../settings.ts';

/** `jugq worker`: a daemon that executes tasks. */
export class WorkerCommand extends JugqCommand {
  static override paths = [['worker']];
  static override usage = Command.Usage({
    category: 'Running',
    description: 'execute tasks until told to stop',
    details:
      'Takes tasks of any jugfile of the project, also of ones that are planned later. The first SIGINT or SIGTERM lets it finish what it runs and hand the rest back; the second ends it at once.',
    examples: [
      ['A worker for the private server of this directory', '$0 worker'],
      ['For a server elsewhere, on four threads', '$0 worker --server nats://host:4222 -j 4'],
      [
        'For two queues, until nothing is left to do',
        '$0 worker --queue default,gpu --exit-when-done',
      ],
      [
        'As a daemon that is watched',
        '$0 worker --log json --metrics-port 9464 --metrics-host 0.0.0.0',
      ],
    ],
  });

  threads = Option.String('-j,--threads', {
    description: 'how many tasks run at a time (default: one a core)',
  });
  queues = Option.String('--queue', {
    description: 'queues to take from, with commas (default: default)',
  });
  exitWhenDone = Option.Boolean('--exit-when-done', false, {
    description: 'end when no active run has anything left to do',
  });
  maxTasks = Option.String('--max-tasks', { description: 'end after so many tasks' });
  maxTime = Option.String('--max-time', {
    description: 'take no more tasks after this long, such as 55m',
  });
  stopFile = Option.String('--stop-file', {
    description: 'take no more tasks once this file exists',
  });
  log = Option.String('--log', {
    description: 'text (default), or json: a JSON object a line',
  });
  metricsPort = Option.String('--metrics-port', {
    description: 'serve Prometheus metrics at /metrics and a check at /health on this port',
  });
  metricsHost = Option.String('--metrics-host', {
    description: 'address for them (default: 127.0.0.1)',
  });
  supervised = Option.Boolean('--supervised', false, { hidden: true });

  protected override moreFlags(): SettingFlags {
    return {
      threads: this.threads,
      queues: this.queues,
      maxTasks: this.maxTasks,
      maxTime: this.maxTime,
      stopFile: this.stopFile,
      log: this.log,
      metricsPort: this.metricsPort,
      metricsHost: this.metricsHost,
    };
  }

  override async execute(): Promise<number> {
    const [{ jsonLog, textLog }, { outputVariable }, { settings }] = await Promise.all([
      import('../daemon-log.ts'),
      import('../../worker/user-output.ts'),
      this.loadSettings(),
    ]);
    const { stderr } = this.context;
    const print = (line: string): void => void stderr.write(`${line}\n`);
    // What `run` reads from its worker is for people.
    const isJson = settings.log === 'json' && !this.supervised;
    const log = isJson ? jsonLog(print) : textLog(print);
    if (isJson) process.env[outputVariable] = 'json';
    this.say = log.say;
    return this.withSession(async (session) => {
      const { workHere } = await import('../work-here.ts');
      return workHere(session, {
        log,
        exitWhenDone: this.exitWhenDone,
        supervised: this.supervised,
        context: this.context,
      });
    });
  }
}
