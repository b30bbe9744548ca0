import test from 'ava';
import { isDelivery, readPlace } from '../../broker/delivery-place.ts';

const place = {
  deliveries: 2,
  sequence: 1234567,
  delivered: 89,
  storedAt: 1_796_060_729_831,
  pending: 0,
};
const numbers = '2.1234567.89.1796060729831000000.0';

for (const [kind, reply] of [
  ['nine tokens', `$JS.ACK.KV_jugq-p-results.consumer.${numbers}`],
  ['domain and account', `$JS.ACK.hub.ACCOUNTHASH.KV_jugq-p-results.consumer.${numbers}.random9`],
] as const) {
  test(`delivery: a reply subject of ${kind}: each number in its place`, (t) => {
    t.true(isDelivery(reply));
    const { storedAt, ...rest } = readPlace(reply);
    t.deepEqual({ ...rest, storedAt: Math.round(storedAt) }, place);
  });
}

test('delivery: a flow control request, an inbox, nothing: none', (t) => {
  for (const reply of ['$JS.FC.stream.consumer.x', '_INBOX.abc', '', undefined]) {
    t.false(isDelivery(reply));
  }
});
