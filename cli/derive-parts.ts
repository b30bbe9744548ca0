/**
 * Parts of results that a function of the jugfile makes: computed as for a task that takes them, in a thread.
 *
 * No code of the user's runs in the thread of a command or of a program.
 */
import { decodeValue, encodeArguments } from '../core/codec.ts';
import { JugqError } from '../core/errors.ts';
import { taskId, type TaskId } from '../core/identifiers.ts';
import type { PartReference, StepReference, ValueReference } from '../core/references.ts';
import { literalName } from '../core/stages.ts';
import { packTasks } from '../worker/task-protocol.ts';
import type { Runner } from '../worker/task-runner.ts';
import { LinkHost, type ResultReader } from '../worker/thread-link.ts';

/** A part and where its inputs come from. */
export interface DerivedPart {
  /** Its numbers are keys of `inputs`. */
  readonly reference: PartReference;
  readonly inputs: ReadonlyMap<number, TaskId>;
  /** The bundle that has the functions. */
  readonly file: string;
}

/**
 * The value of each part.
 *
 * @param results - CBOR of all inputs
 * @param reader - for a jugfile that asks for values while it is imported
 * @throws JugqError `JUGFILE_THREW` for what a function throws, `PART_MISSING`
 */
export async function deriveParts<P extends DerivedPart>(
  parts: readonly P[],
  results: ReadonlyMap<TaskId, Uint8Array>,
  reader: ResultReader,
): Promise<Map<P, unknown>> {
  const values = new Map<P, unknown>();
  if (parts.length === 0) return values;
  // Few commands need threads, and they cost each that loads them.
  const { taskThread } = await import('../worker/task-runner.ts');
  const thread = taskThread(new LinkHost(reader));
  try {
    for (const file of new Set(parts.map((each) => each.file))) {
      const own = parts.filter((each) => each.file === file);
      const all = await runInOne(thread, file, own, results);
      own.forEach((part, at) => values.set(part, all[at]));
    }
  } finally {
    await thread.close();
  }
  return values;
}

/** One task that only hands its argument on, an array of the parts. */
async function runInOne(
  thread: Runner,
  file: string,
  parts: readonly DerivedPart[],
  results: ReadonlyMap<TaskId, Uint8Array>,
): Promise<readonly unknown[]> {
  const places = new Map<TaskId, number>();
  const placeOf = (id: TaskId | undefined): number => {
    if (id === undefined) throw new JugqError('BUG', 'a part has no input');
    const place = places.get(id) ?? places.size;
    places.set(id, place);
    return place;
  };
  const partOf = new Map<object, DerivedPart>(parts.map((each) => [each, each]));
  const args = encodeArguments([parts], (value) => {
    const part = partOf.get(value);
    return part && movedPart(part.reference, (from) => placeOf(part.inputs.get(from)));
  });
  const task = {
    id: taskId(literalName, 'parts'),
    attempt: 1,
    arguments: args,
    inputs: [...places.keys()].map((id) => results.get(id) ?? new Uint8Array()),
  };
  const batch = { file, tasks: packTasks([task]) };
  const [outcome] = await thread.run(batch, {
    tasks: [task.id],
    timeoutMs: undefined,
    recalled: new AbortController().signal,
  });
  if (outcome?.kind === 'done') return decodeValue(outcome.value) as readonly unknown[];
  const error =
    outcome?.kind === 'failed' ? outcome.error : { name: 'BUG', message: 'no outcome', stack: '' };
  throw new JugqError(
    error.name === 'PART_MISSING' ? 'PART_MISSING' : 'JUGFILE_THREW',
    `a part that is derived from results: ${error.stack === '' ? error.message : error.stack}`,
  );
}

type MovePlace = (place: number) => number;

function movedPart({ of, steps }: PartReference, move: MovePlace): PartReference {
  const at = move(of);
  return { of: at, steps: steps.map((step) => movedStep(step, move)) };
}

function movedStep(step: StepReference, move: MovePlace): StepReference {
  return typeof step === 'object' && 'by' in step ? { by: moved(step.by, move) } : step;
}

function moved(reference: ValueReference, move: MovePlace): ValueReference {
  if (typeof reference === 'number') return move(reference);
  return typeof reference === 'string' ? reference : movedPart(reference, move);
}
