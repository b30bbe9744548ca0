/** Every setting, described once: parsing, names in the environment, listing and types all derive from this table. */
import { availableParallelism } from 'node:os';

/**
 * - `text`, `secret`: as it is; a secret is never shown
 * - `project`: a name space on the server
 * - `servers`: addresses of NATS servers, `names`: queues, `packages`: npm packages; with commas, or a list
 * - `path`, `paths`: made absolute; in a file they are relative to that file; several with commas, or a list
 * - `choice`: one of some words
 * - `nkey`: a path, or the seed itself, which is never shown
 * - `duration`: written `10m`, kept as milliseconds
 */
export type SettingKind =
  | 'text'
  | 'secret'
  | 'project'
  | 'servers'
  | 'names'
  | 'packages'
  | 'path'
  | 'paths'
  | 'choice'
  | 'nkey'
  | 'boolean'
  | 'integer'
  | 'duration';

/** One row of the table. */
export interface SettingRow {
  readonly kind: SettingKind;
  readonly help: string;
  /** Undefined: none; `off` turns such a setting off where a weaker source turned it on. */
  readonly fallback: unknown;
  /** What the `nats` tool reads from the environment. */
  readonly natsName?: string;
  /** If it is not the key with dashes. */
  readonly flag?: string;
  /** Bounds of integers and durations. */
  readonly min?: number;
  readonly max?: number;
  readonly oneOf?: readonly number[];
  /** The words of a choice. */
  readonly words?: readonly string[];
}

/** Timers of Node hold no more; beyond it they fire at once. */
const longestTimerMs = 2 ** 31 - 1;

export const settingsTable = {
  server: {
    kind: 'servers',
    natsName: 'NATS_URL',
    fallback: [],
    help: 'addresses of the NATS servers of one cluster; none: a private server',
  },
  context: {
    kind: 'text',
    fallback: undefined,
    help: 'a context of the nats tool, for server, login and TLS',
  },
  creds: {
    kind: 'path',
    natsName: 'NATS_CREDS',
    fallback: undefined,
    help: 'credentials file (JWT and seed)',
  },
  nkey: {
    kind: 'nkey',
    natsName: 'NATS_NKEY',
    fallback: undefined,
    help: 'file with the seed of an NKey, or the seed',
  },
  token: {
    kind: 'secret',
    natsName: 'NATS_TOKEN',
    fallback: undefined,
    help: 'token',
  },
  user: {
    kind: 'text',
    natsName: 'NATS_USER',
    fallback: undefined,
    help: 'user name; without a password it is taken for a token, as the nats tool does',
  },
  password: {
    kind: 'secret',
    natsName: 'NATS_PASSWORD',
    fallback: undefined,
    help: "the user's password",
  },
  tlsCa: {
    kind: 'path',
    natsName: 'NATS_CA',
    fallback: undefined,
    help: "certificate authorities to trust instead of the system's",
  },
  tlsCert: {
    kind: 'path',
    natsName: 'NATS_CERT',
    fallback: undefined,
    help: "the client's certificate",
  },
  tlsKey: {
    kind: 'path',
    natsName: 'NATS_KEY',
    fallback: undefined,
    help: 'key of that certificate',
  },
  tlsFirst: {
    kind: 'boolean',
    fallback: false,
    help: 'shake hands before the server greets, for servers that are configured so',
  },
  project: {
    kind: 'project',
    fallback: undefined,
    help: 'name space on the server; default: the name in package.json, else of the directory',
  },
  replicas: {
    kind: 'integer',
    fallback: 1,
    oneOf: [1, 3, 5],
    help: 'copies of the streams that are made on a cluster',
  },
  threads: {
    kind: 'integer',
    flag: '-j',
    fallback: availableParallelism(),
    min: 1,
    help: 'tasks that a worker runs at a time; default: one a core',
  },
  queues: {
    kind: 'names',
    flag: '--queue',
    fallback: ['default'],
    help: 'queues that a worker takes tasks from',
  },
  maxTasks: {
    kind: 'integer',
    fallback: undefined,
    min: 1,
    help: 'tasks after which a worker ends',
  },
  maxTime: {
    kind: 'duration',
    fallback: undefined,
    min: 1,
    max: longestTimerMs,
    help: 'time after which a worker takes no more',
  },
  stopFile: {
    kind: 'path',
    fallback: undefined,
    help: 'a worker takes no more when this file exists',
  },
  hooks: {
    kind: 'paths',
    fallback: [],
    help: 'modules whose functions are called when something happens in a worker or a planner',
  },
  log: {
    kind: 'choice',
    fallback: 'text',
    words: ['text', 'json'],
    help: 'how a worker talks: in lines of text, or a JSON object a line',
  },
  metricsPort: {
    kind: 'integer',
    fallback: undefined,
    min: 1,
    max: 65_535,
    help: "port for a worker's Prometheus metrics and health check",
  },
  metricsHost: {
    kind: 'text',
    fallback: '127.0.0.1',
    help: 'address that the metrics are served on',
  },
  ackWait: {
    kind: 'duration',
    fallback: 15_000,
    min: 1000,
    max: longestTimerMs,
    help: 'time without a heartbeat after which a task is given to another worker',
  },
  lease: {
    kind: 'duration',
    fallback: 5000,
    min: 1000,
    max: longestTimerMs,
    help: 'time without a renewal after which another dispatcher takes over',
  },
  external: {
    kind: 'packages',
    fallback: [],
    help: "packages that are left out of a jugfile's bundle and resolved where the worker runs",
  },
} as const satisfies Record<string, SettingRow>;

type Table = typeof settingsTable;

/** A setting's name in files; other names derive from it. */
export type SettingKey = keyof Table;

type ValueOf<Kind extends SettingKind> = Kind extends 'boolean'
  ? boolean
  : Kind extends 'integer' | 'duration'
    ? number
    : Kind extends 'servers' | 'names' | 'packages' | 'paths'
      ? readonly string[]
      : string;

/** Values of all settings; those without a default may be undefined. */
export type SettingValues = {
  readonly [Key in SettingKey]: undefined extends Table[Key]['fallback']
    ? ValueOf<Table[Key]['kind']> | undefined
    : ValueOf<Table[Key]['kind']>;
};

/** What a command line or a program gives: text as a person types it, or a value; durations only as text. */
export type SettingFlags = {
  readonly [Key in SettingKey]?: Table[Key]['kind'] extends 'duration'
    ? string | undefined
    : string | ValueOf<Table[Key]['kind']> | undefined;
};

/** All keys, in the order of the table. */
export const settingKeys = Object.keys(settingsTable) as readonly SettingKey[];

/** Whether a name is that of a setting. */
export function isSettingKey(name: string): name is SettingKey {
  return Object.hasOwn(settingsTable, name);
}

/** The row of a key, seen as any row. */
export function rowOf(key: SettingKey): SettingRow {
  return settingsTable[key];
}

/** `maxTasks`: `--max-tasks`. */
export function flagOf(key: SettingKey): string {
  return rowOf(key).flag ?? `--${separated(key, '-').toLowerCase()}`;
}

/** `maxTasks`: `JUGQ_MAX_TASKS`. */
export function environmentName(key: SettingKey): string {
  return `JUGQ_${separated(key, '_').toUpperCase()}`;
}

/** Whether a value is never shown. */
export function isSecret(key: SettingKey): boolean {
  return rowOf(key).kind === 'secret';
}

function separated(key: string, separator: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => separator + letter);
}
