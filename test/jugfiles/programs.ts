/** External programs as tasks: streams, files, environment, failure. */
import { pick, shell, task } from 'jugq';

const text = task(function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
});
const word = task(function word(): string {
  return 'pear';
});

export const said = pick(shell('echo', ['an', word(), 2]), 'stdout');
const sorted = shell('sort', ['in.txt', '-o', 'deep/out.txt'], {
  inputs: { 'in.txt': 'b\na\n', 'deep/.keep': '' },
  outputs: ['deep/out.txt'],
});
export const lines = text(pick(sorted, 'outputs', 'deep/out.txt'));
export const piped = pick(shell('tr', ['a-z', 'A-Z'], { stdin: word() }), 'stdout');
export const variable = shell('sh', ['-c', 'printf %s "$FRUIT"; pwd >&2'], {
  env: { FRUIT: word() },
  cwd: '/',
});
export const wrong = shell('sh', ['-c', 'echo half done; echo no luck >&2; exit 3'], {
  name: 'wrong',
});
export const absent = shell('no-such-program-here');
export const forgetful = shell('true', [], { outputs: ['out.txt'] });
