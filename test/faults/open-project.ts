/** A user's project, opened past the command line: to look, and to do what only an operator or an accident does. */
import { connectBroker } from '../../broker/connection.ts';
import { closeProject, openProject, type OpenProject } from '../../broker/project.ts';
import { parseProject } from '../../core/identifiers.ts';
import type { UserDirectory } from '../kit/cli.ts';
import { settingsFor } from '../kit/connecting.ts';

export interface OpenedProject extends OpenProject, AsyncDisposable {}

/** Opens the project that commands in this directory use; it is closed with the scope of `await using`. */
export async function openProjectOf(
  user: UserDirectory,
  server: { readonly url: string },
): Promise<OpenedProject> {
  const connection = await connectBroker(settingsFor(server.url), () => undefined);
  const name = user.env['JUGQ_PROJECT'] ?? '';
  const project = await openProject(connection, { project: parseProject(name), replicas: 1 });
  return { ...project, [Symbol.asyncDispose]: () => closeProject(project) };
}
