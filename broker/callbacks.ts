/**
 * Keeps exceptions out of the client's reading loop.
 *
 * The client calls a subscription's callback from the loop that reads its socket. The first exception ends that loop
 * for good, with a line on stdout: the connection looks alive and hears nothing more.
 */

/** The callback, whose exceptions end the process as any uncaught one does, instead of making it deaf. */
export function outsideReading<Arguments extends unknown[]>(
  callback: (...received: Arguments) => void,
): (...received: Arguments) => void {
  return (...received) => {
    try {
      callback(...received);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  };
}
