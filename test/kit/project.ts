/** A project on a test server, opened as jugq opens it, and made-up tasks for it. */
import { createHash } from 'node:crypto';
import { connectBroker, type ConnectionSettings } from '../../broker/connection.ts';
import { openProject, type OpenProject } from '../../broker/project.ts';
import type { ResultFacts } from '../../broker/result-facts.ts';
import { toBase32 } from '../../core/base32.ts';
import { parseProject, taskId, type RunId, type TaskId } from '../../core/identifiers.ts';
import { encodeParcel } from '../../core/parcel.ts';
import { settingsFor } from './connecting.ts';

export interface TestProject extends OpenProject, AsyncDisposable {}

/** Opens the project `test`, or another; it is closed with the scope of `await using`. */
export async function openTestProject(
  server: { port: number } | string,
  options: {
    readonly replicas?: number;
    readonly settings?: Partial<ConnectionSettings>;
    readonly name?: string;
  } = {},
): Promise<TestProject> {
  const settings = settingsFor(server, options.settings);
  const connection = await connectBroker(settings, () => undefined);
  const { replicas = 1, name = 'test' } = options;
  const opening = openProject(connection, { project: parseProject(name), replicas });
  // A connection that is left open would keep the test's process.
  opening.catch(() => connection.close());
  const project = await opening;
  return {
    ...project,
    [Symbol.asyncDispose]: async () => {
      project.publisher.close();
      await connection.close();
    },
  };
}

/** How many messages are in the queue of a project. */
export async function queuedIn(server: { port: number }, name = 'test'): Promise<number> {
  await using project = await openTestProject(server, { name });
  const { state } = await project.manager.streams.info(project.names.tasks);
  return state.messages;
}

/** The 20 bytes of a hash that differs for each text. */
export function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest().subarray(0, 20);
}

/** The id of a task of this function, another for each number. */
export function idFor(functionName: string, number: number): TaskId {
  return taskId(functionName, toBase32(hashOf(`${functionName} ${number.toString()}`)));
}

/** Facts of an attempt; only the digest matters to most tests. */
export function factsWith(digest: string): ResultFacts {
  return { worker: 'w1', ms: 12.5, attempt: 1, fingerprint: 'f00d', digest };
}

/** A parcel of one task, as the dispatcher would publish it. */
export function parcelFor(functionName: string, number: number): Uint8Array {
  const noArguments = Uint8Array.of(0x80);
  return encodeParcel(
    {
      run: '01ARZ3NDEKTSV4RRFFQ69G5FAV' as RunId,
      code: 'c0de',
      quick: false,
      failFast: false,
      taken: false,
    },
    [
      {
        hash: hashOf(`${functionName} ${number.toString()}`),
        fn: { name: functionName, fingerprint: 'f00d', retries: 0 },
        expects: 0,
        failureExpects: 0,
        attempt: 1,
        arguments: noArguments,
        inputs: [],
      },
    ],
  );
}
