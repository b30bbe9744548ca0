/** Puts a nats-server there for the tests, so that a clean clone has all that it needs. */
import { installServer } from '../broker/server-install.ts';
import { isCommand } from '../broker/server-command.ts';
import { isJugqError } from '../core/errors.ts';

try {
  await installServer((line) => {
    console.log(line);
  });
} catch (error) {
  if (!isJugqError(error)) throw error;
  console.error(error.message);
  // The tests can still run servers in containers, or those that are named.
  const hasOthers = (process.env['JUGQ_TEST_SERVERS'] ?? '') !== '' || (await isCommand('docker'));
  if (!hasOthers) process.exitCode = 1;
}
