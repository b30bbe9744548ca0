/** Why no server could be used, said for each, with what to do about it. */
import { NatsError } from 'nats';
import { createConnection } from 'node:net';
import { JugqError } from '../core/errors.ts';
import type { ConnectionSettings } from './connection.ts';
import { describeLogin } from './login.ts';
import { clientCode, isLoginRefused } from './nats-errors.ts';
import { maskUrl, parseServerUrl } from './server-url.ts';

/** A server that was tried, and what came of it. */
export interface Failure {
  readonly server: string;
  readonly error: unknown;
}

interface Problem {
  readonly code: 'SERVER_UNREACHABLE' | 'SERVER_REFUSED';
  readonly reason: string;
  readonly advice: string;
}

type Attempt = Pick<ConnectionSettings, 'login' | 'origins' | 'tls'>;

/** One error for all of them; the problem of a server that did answer counts for more than that of one that did not. */
export async function explain(failures: readonly Failure[], attempt: Attempt): Promise<JugqError> {
  const problems = await Promise.all(failures.map((each) => diagnose(each, attempt)));
  const worst = problems.find((each) => each.code === 'SERVER_REFUSED') ?? problems[0];
  const reasons = failures.map(
    ({ server }, at) => `${maskUrl(server)} (${problems[at]?.reason ?? ''})`,
  );
  const named = `${reasons.join(', ')}, named by ${attempt.origins.servers}`;
  return new JugqError(
    worst?.code ?? 'SERVER_UNREACHABLE',
    `cannot use the NATS server${failures.length > 1 ? 's' : ''} ${named}: ${worst?.advice ?? ''}`,
    {
      cause: failures[0]?.error,
      fields: { servers: failures.map((each) => maskUrl(each.server)) },
    },
  );
}

async function diagnose(failure: Failure, attempt: Attempt): Promise<Problem> {
  const { error } = failure;
  if (isLoginRefused(error)) return loginRefused(attempt);
  const code = codeOf(error);
  if (code === clientCode.Timeout) return silent(failure.server, attempt);
  if (code === clientCode.ServerOptionNotAvailable) return noTlsThere;
  if (isTlsCode(code)) return tlsFailed(error, code);
  return unreachable(wordsFor(error, code));
}

function loginRefused({ login, origins }: Attempt): Problem {
  const reason = `refused ${describeLogin(login)}`;
  const advice =
    login.kind === 'none'
      ? 'name a login with --creds, --nkey, --token, or --user and --password'
      : `check what ${origins.login} names`;
  return { code: 'SERVER_REFUSED', reason, advice };
}

const startAdvice = 'start it, name another with --server, or name none to use a private one';

function unreachable(reason: string): Problem {
  return { code: 'SERVER_UNREACHABLE', reason, advice: startAdvice };
}

const noTlsThere: Problem = {
  code: 'SERVER_UNREACHABLE',
  reason: 'offers no TLS, which was asked for',
  advice: 'leave the tls settings and "tls://" away, or configure TLS on the server',
};

function tlsFailed(error: unknown, code: string): Problem {
  const untrusted = /SELF_SIGNED|UNABLE_TO|CERT_UNTRUSTED/.test(code);
  const otherName = code === 'ERR_TLS_CERT_ALTNAME_INVALID';
  const text = messageOf(error);
  const reason = /^ERR_SSL/.test(code) ? `TLS handshake failed, ${code}` : `TLS: ${text}`;
  const advice = untrusted
    ? "name the authority that signed the server's certificate with --tls-ca"
    : otherName
      ? 'use a name that the certificate is for, with "tls://"'
      : "check the server's certificate, and whether it wants the handshake first (--tls-first)";
  return { code: 'SERVER_UNREACHABLE', reason, advice };
}

/**
 * A server that demands a certificate hangs up in a way that the client does not notice, so that it must be asked what
 * it wants.
 */
async function silent(server: string, attempt: Attempt): Promise<Problem> {
  const greeting = await greetingOf(server);
  if (greeting === undefined) return unreachable('does not answer within 5 s');
  if (!/"tls_verify":\s*true/.test(greeting))
    return unreachable('does not finish the login within 5 s');
  const given = attempt.tls?.cert;
  return {
    code: 'SERVER_REFUSED',
    reason:
      given === undefined
        ? 'demands a client certificate'
        : `refused the client certificate ${given}`,
    advice: "name one that the server's authority has signed with --tls-cert and --tls-key",
  };
}

/** The first line that a server sends; undefined if there is none within a second. */
async function greetingOf(server: string): Promise<string | undefined> {
  const { host, port } = parseServerUrl(server);
  const socket = createConnection({ host, port }).setEncoding('utf8').setTimeout(1000);
  try {
    return await new Promise((resolve) => {
      let text = '';
      const end = (): void => {
        resolve(undefined);
      };
      socket.on('error', end).on('close', end).on('timeout', end);
      socket.on('data', (piece: string) => {
        text += piece;
        if (text.includes('\n')) resolve(text);
      });
    });
  } finally {
    socket.destroy();
  }
}

const systemWords: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['ENOTFOUND', 'no such host'],
  ['EAI_AGAIN', 'the host name cannot be looked up now'],
  ['ECONNRESET', 'closed the connection'],
  ['ETIMEDOUT', 'does not answer'],
  ['EHOSTUNREACH', 'no route to the host'],
  ['ENETUNREACH', 'no route to its network'],
]);

function wordsFor(error: unknown, code: string): string {
  const words = systemWords.get(code);
  if (words !== undefined) return words;
  const closed = code === clientCode.ConnectionRefused;
  return closed ? 'closed the connection without a greeting' : messageOf(error);
}

/** Node's code where there is one, else the client's. */
function codeOf(error: unknown): string {
  if (error instanceof NatsError && error.chainedError !== undefined) {
    const own = codeOf(error.chainedError);
    return own === '' ? error.code : own;
  }
  if (!(error instanceof Error) || !('code' in error)) return '';
  return String(error.code);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}

/** OpenSSL's names for what is wrong with a certificate, and Node's for the rest of TLS. */
function isTlsCode(code: string): boolean {
  return (
    /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|UNABLE_TO_|CERT_|CRL_|ERROR_IN_C)/.test(code) ||
    /SELF_SIGNED_CERT|^(INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|TLS)$/.test(
      code,
    )
  );
}
