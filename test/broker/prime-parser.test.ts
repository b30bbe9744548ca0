import test from 'ava';
import { connect, headers, type NatsConnection } from 'nats';
import { primeParser } from '../../broker/prime-parser.ts';
import { startServer } from '../kit/servers.ts';

test('a connection that was primed: every message arrives as it was sent, cut or whole', async (t) => {
  await using server = await startServer();
  const connection = await connect({ servers: server.url });
  const seen: string[] = [];
  connection.subscribe('a.>', {
    callback: (_error, { subject, reply, data, headers: all }) => {
      seen.push(
        `${subject} ${reply ?? ''} ${data.length.toString()} ${Buffer.from(data).toString('latin1', 0, 3)} ${all?.get('Some') ?? ''}`,
      );
    },
  });
  primeParser(connection);
  const expected: string[] = [];
  for (let number = 0; number < 2000; number++) {
    const subject = `a.${number.toString()}`;
    // A socket is read some 64 KiB at a time: these are cut at every place there is.
    const length = number % 100 === 0 ? 200_000 : 1 + (number % 97);
    const reply = number % 2 === 0 ? 'b' : '';
    const some = number % 3 === 0 ? 'thing' : '';
    const all = headers();
    all.set('Some', some);
    connection.publish(subject, Buffer.alloc(length, 'xyz'), {
      ...(reply === '' ? {} : { reply }),
      ...(some === '' ? {} : { headers: all }),
    });
    expected.push(`${subject} ${reply} ${length.toString()} ${'xyz'.slice(0, length)} ${some}`);
  }
  await connection.flush();
  await connection.close();
  t.deepEqual(seen, expected);
});

test('a parser that is in the middle of a message, or is none: left alone', (t) => {
  const parsed: Uint8Array[] = [];
  const parser = { state: 14, parse: (bytes: Uint8Array) => parsed.push(bytes) };
  primeParser({ protocol: { parser } } as unknown as NatsConnection);
  primeParser({ protocol: {} } as unknown as NatsConnection);
  primeParser({} as unknown as NatsConnection);
  t.deepEqual(parsed, []);
  const flush = (): Promise<void> => Promise.resolve();
  primeParser({
    protocol: { parser: { ...parser, state: 0 } },
    flush,
  } as unknown as NatsConnection);
  t.true(parsed.length > 100);
});
