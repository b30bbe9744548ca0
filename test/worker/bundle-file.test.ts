import test from 'ava';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { placeBundle } from '../../worker/bundle-file.ts';

const code = 'export {};';

for (const directory of ['/proc', '/nowhere/at/all']) {
  test(`a bundle for ${directory}, where no directory can be made: among the temporary files`, async (t) => {
    if (directory === '/proc' && !existsSync(directory)) {
      t.pass('this system has none');
      return;
    }
    const path = placeBundle(randomUUID(), code, directory);
    t.teardown(() => rm(path, { force: true }));
    t.true(path.startsWith(tmpdir()));
    t.is(await readFile(path, 'utf8'), code);
  });
}
