/**
 * The one place where the errors of NATS become ours, by their codes and never by their text.
 *
 * JetStream's own codes (`err_code`, 10002 and up) are the most precise, so they are looked at first; several of them
 * share the client's code `503`, which otherwise means that nobody answered.
 *
 * @see nats-server, server/errors.json
 */
import { ErrorCode as NatsCode, NatsError } from 'nats';
import { isJugqError, JugqError, type ErrorCode } from '../core/errors.ts';

/** The client's own codes, as the texts that its errors have. */
export const clientCode: Readonly<Record<keyof typeof NatsCode, string>> = NatsCode;

/** A message that JetStream refused, as its acknowledgement says; `code` is the `err_code`. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code: number;
  readonly description: string;
}

/**
 * Why JetStream refused a message.
 *
 * `revision`: something else was there than the header `Nats-Expected-Last-Subject-Sequence` says; of a message that
 * expects 0 this means that its subject is taken. `full`: no room. `transient`: not now; send it again.
 */
export type PubAckProblem = 'revision' | 'full' | 'transient' | 'other';

/** 10164 comes from replicated streams of 2.11 and later. */
const revisionCodes: ReadonlySet<number> = new Set([10071, 10164]);
/**
 * 10077 is a full stream, but also a taken subject where the message did not say what it expects. 10002: the account's
 * limit; 10023: the server's; 10028 and 10047: its memory and its disk; 10026, 10027: too many consumers or streams;
 * 10122: more than a stream of the account may have.
 */
const fullCodes: ReadonlySet<number> = new Set([
  10002, 10023, 10026, 10027, 10028, 10047, 10077, 10122,
]);
/** No leader, no quorum, a stream being moved, too many requests, or a twin of the message still under way. */
const transientCodes: ReadonlySet<number> = new Set([
  10004, 10007, 10008, 10009, 10118, 10119, 10158, 10163, 10167,
]);
/**
 * Consumer, message, sequence, stream, consumer again. 10057 is a failed delete, which where deleting is allowed means
 * that the message was the stream's last and is gone, or was never there.
 */
const missingCodes: ReadonlySet<number> = new Set([10014, 10037, 10043, 10057, 10059, 10149]);
/** For this account, and for the whole server. */
const noJetStreamCodes: ReadonlySet<number> = new Set([10039, 10076]);
/** Stream or consumer of this name with another configuration. */
const mismatchCodes: ReadonlySet<number> = new Set([10013, 10058, 10148]);

const loginCodes: ReadonlySet<string> = new Set([
  clientCode.AuthorizationViolation,
  clientCode.AuthenticationExpired,
  clientCode.AuthenticationTimeout,
  clientCode.AccountExpired,
  clientCode.BadAuthentication,
]);
const silenceCodes: ReadonlySet<string> = new Set([
  clientCode.Timeout,
  clientCode.NoResponders,
  clientCode.JetStream408RequestTimeout,
  clientCode.ConnectionTimeout,
  clientCode.Disconnect,
]);
const closedCodes: ReadonlySet<string> = new Set([
  clientCode.ConnectionClosed,
  clientCode.ConnectionDraining,
]);

/** What the code of a refused message means; see `PubAckProblem`. */
export function pubAckProblem(code: number): PubAckProblem {
  if (revisionCodes.has(code)) return 'revision';
  if (fullCodes.has(code)) return 'full';
  return transientCodes.has(code) ? 'transient' : 'other';
}

/** Whether the last entry of a key was not the expected one: of an error or an `err_code`. */
export function isWrongRevision(problem: unknown): boolean {
  return revisionCodes.has(apiCode(problem));
}

/** Whether a queue message was refused because one of its subject is there; it must have expected sequence 0. */
export function isSubjectOccupied(problem: unknown): boolean {
  return isWrongRevision(problem);
}

/** Whether there is no room: in the stream, the account or the server. */
export function isStorageFull(problem: unknown): boolean {
  return fullCodes.has(apiCode(problem));
}

/** Whether a stream, consumer, message or object is not there. */
export function isNotFound(problem: unknown): boolean {
  const code = apiCode(problem);
  if (code !== 0) return missingCodes.has(code);
  return problem instanceof NatsError && problem.code === '404';
}

/** Whether the same request may succeed in a moment: the server is away, elects a leader, or was too slow. */
export function isTransient(problem: unknown): boolean {
  const code = apiCode(problem);
  if (code !== 0) return transientCodes.has(code);
  return problem instanceof NatsError && silenceCodes.has(problem.code);
}

/** Whether the server did not accept the login: of an error or of the client's code. */
export function isLoginRefused(problem: unknown): boolean {
  return loginCodes.has(problem instanceof NatsError ? problem.code : String(problem));
}

/** Whether nobody listens to the subject of a request. */
export function isUnanswered(problem: unknown): boolean {
  return (
    apiCode(problem) === 0 &&
    problem instanceof NatsError &&
    problem.code === clientCode.NoResponders
  );
}

/** Whether the login may not publish to the subject of a request. */
export function isForbiddenPublish(problem: unknown): boolean {
  return problem instanceof NatsError && problem.permissionContext?.operation === 'publish';
}

/** Whether JetStream is off, on the server or for the account. */
export function isJetStreamOff(problem: unknown): boolean {
  return noJetStreamCodes.has(apiCode(problem));
}

/**
 * Turns what the client threw, or a refusal, into an error that a user can act on.
 *
 * @param doing - what was being done and to what, such as `making the stream X`
 * @returns the error itself if it is ours already
 */
export function toJugqError(problem: unknown, doing: string): JugqError {
  if (isJugqError(problem)) return problem;
  const { code, advice } = judge(problem);
  const options = { cause: problem, fields: { errCode: apiCode(problem) } };
  return new JugqError(code, `${doing}: ${describe(problem)}${advice}`, options);
}

function judge(problem: unknown): { code: ErrorCode; advice: string } {
  const code = apiCode(problem);
  if (code !== 0) return judgeApiCode(code);
  if (problem instanceof NatsError) return judgeClientCode(problem.code);
  // The client throws plain errors for what it finds out by itself; these kinds are made by mistakes in code.
  const bug = problem instanceof TypeError || problem instanceof ReferenceError;
  return bug
    ? { code: 'BUG', advice: ': please report this' }
    : { code: 'SERVER_FAILED', advice: '' };
}

function judgeApiCode(code: number): { code: ErrorCode; advice: string } {
  if (fullCodes.has(code)) {
    const advice =
      ': make room with "jugq cleanup", or raise max_bytes of the stream or max_file_store of the server';
    return { code: 'SERVER_FULL', advice };
  }
  if (noJetStreamCodes.has(code)) return { code: 'SERVER_NO_JETSTREAM', advice: jetStreamAdvice };
  if (mismatchCodes.has(code)) {
    const advice = ': remove it, or choose another project with --project';
    return { code: 'STREAM_MISMATCH', advice };
  }
  const advice = transientCodes.has(code) ? ': try again in a moment' : '';
  return { code: 'SERVER_FAILED', advice };
}

/** How to get JetStream. */
export const jetStreamAdvice =
  ': start the server with "nats-server -js", or enable jetstream for the account in its configuration';

function judgeClientCode(code: string): { code: ErrorCode; advice: string } {
  if (loginCodes.has(code)) return { code: 'SERVER_REFUSED', advice: ': check the credentials' };
  if (code === clientCode.PermissionsViolation) {
    const advice = ': allow the user jugq.>, $JS.API.>, $JS.ACK.>, $KV.>, $O.> and _INBOX.>';
    return { code: 'SERVER_REFUSED', advice };
  }
  if (code === clientCode.MaxPayloadExceeded) {
    return { code: 'SERVER_FAILED', advice: ': raise max_payload of the server' };
  }
  if (silenceCodes.has(code)) {
    return { code: 'SERVER_UNREACHABLE', advice: ': check the server, then try again' };
  }
  if (closedCodes.has(code)) return { code: 'SERVER_UNREACHABLE', advice: '' };
  return { code: 'SERVER_FAILED', advice: '' };
}

function describe(problem: unknown): string {
  if (isRefusal(problem)) return `${problem.description} (${problem.code.toString()})`;
  if (problem instanceof NatsError) {
    const own = problem.api_error;
    if (own !== undefined) return `${own.description} (${(own.err_code ?? own.code).toString()})`;
    return clientWords.get(problem.code) ?? problem.message;
  }
  return problem instanceof Error ? problem.message : String(problem);
}

/** Where the client's own message is no more than its code. */
const clientWords: ReadonlyMap<string, string> = new Map([
  [clientCode.Timeout, 'the server did not answer in time'],
  [clientCode.NoResponders, 'nobody answers: no leader yet, or JetStream is off'],
  [clientCode.Disconnect, 'the connection was lost'],
  [clientCode.ConnectionClosed, 'the connection is closed'],
  [clientCode.ConnectionDraining, 'the connection is being closed'],
  [clientCode.MaxPayloadExceeded, 'the message is larger than the server takes'],
]);

/** JetStream's `err_code`; 0 if there is none. */
function apiCode(problem: unknown): number {
  if (typeof problem === 'number') return problem;
  if (problem instanceof NatsError) return problem.api_error?.err_code ?? 0;
  return isRefusal(problem) ? problem.code : 0;
}

function isRefusal(problem: unknown): problem is Refusal {
  return (
    typeof problem === 'object' &&
    problem !== null &&
    'kind' in problem &&
    problem.kind === 'refused' &&
    'code' in problem &&
    typeof problem.code === 'number'
  );
}
