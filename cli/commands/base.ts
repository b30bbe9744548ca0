/** What all commands share: the settings' flags, JSON output, and the way to the server. */
import type { Writable } from 'node:stream';
import { Command, Option, type BaseContext } from 'clipanion';
import { isJugqError, JugqError } from '../../core/errors.ts';
import type { Session } from '../session.ts';
import type { LoadedSettings, SettingFlags } from '../settings.ts';

/** Where a command prints to: a terminal, or something that is none. */
export type OutputStream = Writable & {
  readonly isTTY?: boolean;
  /** Of a terminal. */
  readonly rows?: number;
  readonly columns?: number;
};

/** Where a command runs. */
export interface CommandContext extends BaseContext {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly cwd: string;
  /** The command line, without the program. */
  readonly argv: readonly string[];
  /** Aborted at the first SIGINT or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** Aborted at the second. */
  readonly aborted: AbortSignal;
}

export abstract class JugqCommand extends Command<CommandContext> {
  server = Option.String('--server', {
    description: 'address of the NATS server, or several with commas',
  });
  context_ = Option.String('--context', { description: 'a context of the nats command line' });
  creds = Option.String('--creds', { description: 'credentials file' });
  nkey = Option.String('--nkey', { description: 'file with the seed of an NKey' });
  token = Option.String('--token', { description: 'token' });
  user = Option.String('--user', { description: 'user name' });
  password = Option.String('--password', { description: 'password' });
  tlsCa = Option.String('--tls-ca', { description: 'certificate authorities to trust' });
  tlsCert = Option.String('--tls-cert', { description: 'certificate of this client' });
  tlsKey = Option.String('--tls-key', { description: 'key of that certificate' });
  tlsFirst = Option.Boolean('--tls-first', {
    description: 'shake hands before the server greets',
  });
  project = Option.String('--project', { description: 'the project: a name space on the server' });
  replicas = Option.String('--replicas', {
    description: 'copies of streams that are made (1, 3 or 5)',
  });
  debug = Option.Boolean('--debug', false, { description: 'show the stack of an error' });

  /** Flags that other commands do not have. */
  protected moreFlags(): SettingFlags {
    return {};
  }

  /** @throws JugqError `SETTINGS_INVALID` */
  protected async loadSettings(): Promise<LoadedSettings> {
    const { loadSettings } = await import('../settings.ts');
    const flags: SettingFlags = {
      server: this.server,
      context: this.context_,
      creds: this.creds,
      nkey: this.nkey,
      token: this.token,
      user: this.user,
      password: this.password,
      tlsCa: this.tlsCa,
      tlsCert: this.tlsCert,
      tlsKey: this.tlsKey,
      tlsFirst: this.tlsFirst,
      project: this.project,
      replicas: this.replicas,
      ...this.moreFlags(),
    };
    return loadSettings({
      flags,
      env: this.context.env,
      cwd: this.context.cwd,
    });
  }

  /** Opens the project, runs `act` and closes it, whatever happens. */
  protected async withSession(act: (session: Session) => Promise<number>): Promise<number> {
    const { openSession } = await import('../session.ts');
    const loaded = await this.loadSettings();
    const session = await openSession(loaded, {
      cwd: this.context.cwd,
      role: this.path.join(' '),
      say: (line) => {
        this.say(line);
      },
    });
    try {
      return await act(session);
    } finally {
      await session.close();
    }
  }

  /** Data, for whoever reads stdout. */
  protected print(text: string): void {
    this.context.stdout.write(`${text}\n`);
  }

  /** Talk, for people. */
  protected say(text: string): void {
    this.context.stderr.write(`${text}\n`);
  }

  /**
   * The export that a command line names after a jugfile, and the jugfile's arguments, which follow `--`.
   *
   * @throws JugqError `USAGE` if something else stands between
   */
  protected named(rest: readonly string[]): {
    readonly name: string | undefined;
    readonly args: readonly string[];
  } {
    const args = this.afterDashes();
    const [name, extra] = rest.slice(0, rest.length - args.length);
    if (extra === undefined) return { name, args };
    throw new JugqError(
      'USAGE',
      `expected one name, got ${JSON.stringify(extra)} as well: arguments for the jugfile follow --`,
    );
  }

  /** What stands after `--`. */
  protected afterDashes(): string[] {
    const { argv } = this.context;
    const end = argv.indexOf('--');
    return end === -1 ? [] : argv.slice(end + 1);
  }

  /** A number from a flag. */
  protected wholeNumber(flag: string, text: string | undefined): number | undefined {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new JugqError(
      'USAGE',
      `${flag}: expected a whole number from 1, got ${JSON.stringify(text)}`,
    );
  }
}

/** What of an interruption is not an error. */
export function isInterruption(error: unknown): boolean {
  return isJugqError(error, 'INTERRUPTED');
}
