import test from 'ava';
import { jsonLog, textLog } from '../../cli/daemon-log.ts';
import type { TaskId } from '../../core/identifiers.ts';
import type { TraceEvent } from '../../worker/trace.ts';

function failure(functionName: string, number: number): TraceEvent {
  const task = `${functionName}.${number.toString()}` as TaskId;
  return { kind: 'task-failed', task, final: true, reason: `no such ${number.toString()}` };
}

test('textLog: many failures for one reason: ten are told, then how many at each power of ten', (t) => {
  const said: string[] = [];
  const log = textLog((line) => said.push(line));
  for (let number = 1; number <= 1000; number++) log.see(failure('root', number));
  log.see(failure('sum', 7));
  t.is(said.length, 13);
  t.is(said[9], 'root.10 failed: no such 10');
  t.is(
    said[11],
    'root has failed 1000 times like this: no such 1000 (jugq status --failed counts them)',
  );
  t.is(said[12], 'sum.7 failed: no such 7');
});

test('jsonLog: many failures for one reason: each is a line', (t) => {
  const said: string[] = [];
  const log = jsonLog((line) => said.push(line));
  for (let number = 1; number <= 100; number++) log.see(failure('root', number));
  t.is(said.length, 100);
});
