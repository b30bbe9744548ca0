/** The consuming process of the floor: takes a message, puts its result, and acknowledges it when that is stored. */
import { decode, encode } from 'cbor-x';
import { connect } from 'nats';
import { floorNames, type RawTask } from './floor.ts';
import { rawPublisher } from './raw-publisher.ts';

const takenAhead = 2000;

const connection = await connect({ servers: process.env['FLOOR_SERVER'] ?? '' });
const publisher = rawPublisher(connection);
const consumer = await connection.jetstream().consumers.get(floorNames.stream, floorNames.consumer);
const messages = await consumer.consume({ max_messages: takenAhead });
// The client would go on asking for messages after the connection is closed.
process.once('disconnect', () => {
  process.exit(0);
});
process.send?.('ready');

for await (const message of messages) {
  const task = decode(message.data) as RawTask;
  const result = encode((task.args[0] ?? 0) + 1);
  publisher.send(`$KV.${floorNames.bucket}.${task.id}`, result, () => {
    message.ack();
  });
}
