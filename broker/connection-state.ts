/** Whether a connection is up, for those who watch a process from outside. */
import { Events, type NatsConnection } from 'nats';

export interface ConnectionState {
  readonly connected: boolean;
  /** How often it came back. */
  readonly reconnects: number;
}

/** Follows a connection; what is returned always says how it is now. */
export function watchState(connection: NatsConnection): ConnectionState {
  const state = { connected: !connection.isClosed(), reconnects: 0 };
  const follow = async (): Promise<void> => {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) state.connected = false;
      if (type === Events.Reconnect) {
        state.connected = true;
        state.reconnects++;
      }
    }
  };
  void follow().finally(() => {
    state.connected = false;
  });
  return state;
}
