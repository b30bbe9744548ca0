/** Tasks that treat their worker badly, each in its own way, among others that want to get on. */
import { setTimeout as delay } from 'node:timers/promises';
import { task } from 'jugq';

const innocent = task(async function innocent(x: number): Promise<number> {
  await delay(30);
  return [x].map((each) => each * 2).reduce((a, b) => a + b, 0);
});
export const before = Array.from({ length: 10 }, (_, x) => innocent(x));

task(function floods() {
  const line = 'x'.repeat(1000);
  for (let n = 0; n < 100_000; n++) console.log(line);
  return 'flooded';
})();
task(function returnsTooMuch() {
  return new Uint8Array(2 ** 30 + 1);
})();
task(function returnsGetter() {
  return {
    get broken(): never {
      throw new Error('do not look');
    },
  };
})();
task(function returnsTrap() {
  return new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('do not list');
      },
    },
  );
})();
task(function throwsMuch() {
  throw new Error('y'.repeat(5_000_000));
})();
task(function throwsNothing() {
  const nothing: unknown = undefined;
  throw nothing;
})();
task(function exitsLater() {
  setTimeout(() => process.exit(3), 20);
  return 'done';
})();
task(function throwsLater() {
  setTimeout(() => {
    throw new Error('late');
  }, 20);
  return 'done';
})();
task(function patchesArray() {
  Array.prototype.map = () => {
    throw new Error('patched');
  };
  return 'done';
})();
task(function patchesPromise() {
  Promise.prototype.then = () => {
    throw new Error('patched');
  };
  return 'done';
})();
task(function patchesJson() {
  JSON.parse = () => 7;
  JSON.stringify = () => 'no';
  return 'done';
})();
task(function patchesObject() {
  Reflect.set(Object.prototype, 'then', (settle: (x: number) => void) => {
    settle(1);
  });
  return 'done';
})();
task(function dropsListeners() {
  process.removeAllListeners();
  return 'done';
})();
task(
  function unrefs() {
    const handles = Reflect.get(process, '_getActiveHandles') as () => { unref?: () => void }[];
    for (const each of handles.call(process)) each.unref?.();
    return new Promise(() => undefined);
  },
  { timeout: 2000 },
)();
task(function closesOutput() {
  process.stdout.destroy();
  process.stderr.end();
  return 'done';
})();
task(
  function blocksForAWhile() {
    for (;;);
  },
  { timeout: 1000 },
)();
export const after = Array.from({ length: 30 }, (_, x) => innocent(100 + x));
