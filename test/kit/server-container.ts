/** A nats-server of the tests in a container, for machines that have Docker and no binary. */
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';
import { configuration, freePorts } from './server-process.ts';
import type { TestServer, TestServerOptions } from './servers.ts';

const configFile = '/etc/nats/nats-server.conf';
const storeDir = '/data';

/**
 * Starts a server from an image. The port outside is fixed, so that clients find the server again after a restart.
 *
 * Files that `config` names must be in the image, since the container sees none of this machine's.
 */
export async function startContainer(
  image: string,
  options: TestServerOptions,
): Promise<TestServer> {
  const [free = 0] = options.port === undefined ? await freePorts(1) : [options.port];
  const name = options.name ?? `test-${free.toString()}`;
  const content = configuration(options, { host: '0.0.0.0', port: 4222, storeDir, name });
  const container = await new GenericContainer(image)
    .withCopyContentToContainer([{ content, target: configFile }])
    .withCommand(['-c', configFile])
    .withExposedPorts({ container: 4222, host: free })
    .withWaitStrategy(Wait.forLogMessage(/Server is ready/))
    .start();
  const { output } = await container.exec(['nats-server', '--version']);
  const client = await getContainerRuntimeClient();
  const raw = client.container.getById(container.getId());
  const isRunning = async (): Promise<boolean> => (await raw.inspect()).State.Running;
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (!(await isRunning())) return;
    const isLasting = !['SIGSTOP', 'SIGCONT', 'SIGHUP', 'SIGUSR1'].includes(signal);
    const ended = isLasting ? raw.wait() : undefined;
    await raw.kill({ signal });
    await ended;
  };
  return {
    binary: `docker:${image}`,
    version: /v?(\d+\.\d+\.\d+)/.exec(output)?.[1] ?? image,
    name,
    storeDir,
    port: free,
    url: `nats://${container.getHost()}:${free.toString()}`,
    pid: undefined,
    kill,
    stop: () => kill('SIGTERM'),
    restart: async ({ emptyStore = false } = {}) => {
      // The store can be emptied only from inside, and inside is gone with the server: so before the server's end.
      if (emptyStore) {
        if (!(await isRunning())) await container.restart();
        await container.exec(['sh', '-c', `rm -rf ${storeDir}/*`]);
        await kill('SIGKILL');
      }
      await container.restart();
    },
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}
