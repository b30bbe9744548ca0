/** `jugq doctor`: looks for what would keep jugq from working well here, and says what to do about each. */
import { findServerBinary, isNewEnough, serverFloor } from '../broker/server-binary.ts';
import { findShortages } from '../broker/room.ts';
import { readRecord } from '../broker/private-record.ts';
import { privateDirectory } from '../broker/private-server.ts';
import {
  readServerFacts,
  tryWriting,
  type Limited,
  type ServerFacts,
} from '../broker/server-facts.ts';
import { isJugqError, type JugqError } from '../core/errors.ts';
import { formatBytes, formatMs } from './amounts.ts';
import type { LoadedSettings } from './settings.ts';
import { openSession, type Session } from './session.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  /** `bad`: does not work; `doubtful`: works, and may hurt. */
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly found: string;
  /** What to do; only of what is not good. */
  readonly advice?: string;
}

/** Everything that was found; `reachable`: whether there is a usable server. */
export interface Diagnosis {
  readonly reachable: boolean;
  readonly findings: readonly Finding[];
}

export interface Patient {
  readonly cwd: string;
  /** Gives the settings or throws. */
  readonly settings: () => Promise<LoadedSettings>;
  readonly say: (line: string) => void;
  /** Version of the Node that runs this. */
  readonly nodeVersion: string;
}

const nodeFloor = [20, 19] as const;
/** Results carry no times that matter, but due retries and ages of blobs do. */
const clockMsMax = 2000;
/** Every input that is not in memory costs a worker one of these. */
const roundTripMsMax = 50;
const messageBytesMin = 1024 * 1024;

/** Looks at everything that can be looked at. */
export async function examine(patient: Patient): Promise<Diagnosis> {
  const findings: Finding[] = [nodeFinding(patient.nodeVersion), ...(await packageFindings())];
  let session: Session | undefined;
  try {
    const loaded = await patient.settings();
    findings.push(good('settings', `project ${loaded.settings.project}`));
    const isPrivate = loaded.settings.connection.servers.length === 0;
    if (isPrivate) findings.push(await binaryFinding());
    const { cwd, say } = patient;
    session = await openSession(loaded, { cwd, role: 'doctor', say });
    findings.push(good('server', session.serverName));
    findings.push(...(await serverFindings(session, isPrivate)));
    return { reachable: true, findings };
  } catch (error) {
    if (!isJugqError(error)) throw error;
    const what =
      session !== undefined
        ? 'permissions'
        : error.code === 'SETTINGS_INVALID'
          ? 'settings'
          : 'server';
    findings.push(bad(what, error));
    return { reachable: session !== undefined, findings };
  } finally {
    await session?.close();
  }
}

function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [floorMajor, floorMinor] = nodeFloor;
  const isEnough = major > floorMajor || (major === floorMajor && minor >= floorMinor);
  if (isEnough) return good('Node', version);
  const advice = `install Node ${nodeFloor.join('.')} or later`;
  return { what: 'Node', verdict: 'bad', found: version, advice };
}

/** Packages with compiled code: what npm leaves out on one platform shows only when it is used. */
async function packageFindings(): Promise<Finding[]> {
  const { version } = await import('esbuild');
  const { isNativeAccelerationEnabled: isFast } = await import('cbor-x');
  return [
    good('esbuild', version),
    isFast
      ? good('cbor-extract', 'there: values with much text are read faster')
      : {
          what: 'cbor-extract',
          verdict: 'doubtful',
          found: 'not there for this platform',
          advice:
            'nothing has to be done: values with much text are read slower; npm install --include=optional brings it',
        },
  ];
}

async function binaryFinding(): Promise<Finding> {
  const binary = await findServerBinary();
  if (binary !== undefined) return good('nats-server', `${binary.version}, ${binary.path}`);
  return {
    what: 'nats-server',
    verdict: 'bad',
    found: `none of version ${serverFloor} or later on this machine`,
    advice: 'put one there with jugq server --install, or name a server with --server',
  };
}

async function serverFindings(session: Session, isPrivate: boolean): Promise<Finding[]> {
  await tryWriting(session.project);
  const facts = await readServerFacts(session.project);
  const shortages = await findShortages(session.project);
  return [
    good('permissions', 'streams can be made, written, read and followed'),
    versionFinding(facts),
    limitFinding('storage', facts.storage, formatBytes),
    limitFinding('streams', facts.streams, String),
    ...shortages.map((found): Finding => {
      return {
        what: 'room',
        verdict: 'bad',
        found,
        advice: 'free space: see jugq du and jugq cleanup',
      };
    }),
    payloadFinding(facts),
    roundTripFinding(facts),
    clockFinding(facts),
    await syncFinding(session, isPrivate),
  ];
}

function versionFinding({ version, cluster }: ServerFacts): Finding {
  const where = cluster === undefined ? version : `${version}, cluster ${cluster}`;
  if (isNewEnough(version)) return good('version', where);
  const advice = `run a nats-server ${serverFloor} or later`;
  return { what: 'version', verdict: 'bad', found: where, advice };
}

function limitFinding(
  what: string,
  { used, max }: Limited,
  show: (amount: number) => string,
): Finding {
  if (max === undefined) return good(what, `${show(used)} used, no limit for this account`);
  const found = `${show(used)} of ${show(max)} used`;
  if (used < 0.8 * max) return good(what, found);
  return {
    what,
    verdict: 'doubtful',
    found,
    advice: `raise the account's limit, or see jugq du and jugq cleanup`,
  };
}

function payloadFinding({ messageBytesMax: bytes }: ServerFacts): Finding {
  const found = `messages up to ${formatBytes(bytes)}`;
  if (bytes >= messageBytesMin) return good('messages', found);
  const advice =
    'set max_payload to 1MB: results over the limit take the way through the object store';
  return { what: 'messages', verdict: 'doubtful', found, advice };
}

function roundTripFinding({ roundTripMs }: ServerFacts): Finding {
  const found = `${formatMs(roundTripMs)} there and back`;
  if (roundTripMs <= roundTripMsMax) return good('distance', found);
  const advice = 'run workers near the server: each waits for inputs this long';
  return { what: 'distance', verdict: 'doubtful', found, advice };
}

function clockFinding({ clockAheadMs }: ServerFacts): Finding {
  const off = Math.abs(clockAheadMs);
  const found = `${formatMs(off)} ${clockAheadMs < 0 ? 'behind' : 'ahead of'} the server's clock`;
  if (off <= clockMsMax) return good('clock', found);
  const advice =
    'let both machines keep their time with NTP: retries come late or early by as much';
  return { what: 'clock', verdict: 'doubtful', found, advice };
}

/** No client can ask a server for this; of a private one it is written down. */
async function syncFinding(session: Session, isPrivate: boolean): Promise<Finding> {
  const record = isPrivate ? await readRecord(privateDirectory(session.cwd)) : undefined;
  if (record !== undefined) {
    const every = record.storeSync === 'always' ? 'with each write' : 'every second';
    return good('sync', `the store reaches the disk ${every}`);
  }
  return {
    what: 'sync',
    verdict: 'doubtful',
    found:
      "how often the server's store reaches the disk cannot be asked; a server's own default is two minutes",
    advice:
      'a power cut takes what was not synced: set sync_interval: "1s" in the jetstream block of its configuration',
  };
}

function good(what: string, found: string): Finding {
  return { what, verdict: 'good', found };
}

/** An error of ours says what to do after its last colon. */
function bad(what: string, error: JugqError): Finding {
  return { what, verdict: 'bad', found: error.message, advice: adviceFor(error) };
}

function adviceFor({ code }: JugqError): string {
  switch (code) {
    case 'SETTINGS_INVALID':
      return 'see jugq config for where each setting comes from';
    case 'SERVER_FULL':
      return 'free space: see jugq du and jugq cleanup, or raise the limits';
    case 'SERVER_REFUSED':
      return 'check the login, and that it may use JetStream: jugq config shows where it comes from';
    case 'SERVER_NO_JETSTREAM':
      return 'start the server with -js, or enable JetStream for the account';
    default:
      return 'see that the server runs and can be reached from here: jugq config shows where its address comes from';
  }
}
