/** A process whose callback throws: run by the test of the publisher, with the address of a server. */
import { connectBroker } from '../../broker/connection.ts';
import { openProject } from '../../broker/project.ts';
import { parseProject } from '../../core/identifiers.ts';
import { settingsFor } from '../kit/connecting.ts';

const connection = await connectBroker(settingsFor(process.argv[2] ?? ''), () => undefined);
const project = await openProject(connection, { project: parseProject('test'), replicas: 1 });
const subject = `$KV.${project.names.runs}.a`;
project.publisher.send({ subject, payload: new Uint8Array() }, () => {
  throw new Error('thrown by a callback');
});
