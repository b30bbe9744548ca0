/** What a dispatcher's turns add to the story of a simulation. */
import type { DispatchEvent, Instruction } from '../../../core/dispatch.ts';
import type { TaskId } from '../../../core/identifiers.ts';
import type { World } from './world.ts';

/** One call of `apply`: what it was told and what it ordered. */
export interface Turn {
  readonly events: readonly DispatchEvent[];
  readonly instructions: readonly Instruction[];
}

/** Writes a turn of the dispatcher of this name into the story, if anybody wants it. */
export function noteTurn(world: World, name: string, { events, instructions }: Turn): void {
  const { note } = world;
  if (note === undefined) return;
  for (const event of events) {
    for (const id of idsIn(event)) note(id, `${name} learns: ${describe(event)}`);
  }
  for (const instruction of instructions) {
    if (instruction.kind === 'withdraw') note(instruction.head, `${name} withdraws it`);
    else if (instruction.kind === 'clear-failure')
      note(instruction.id, `${name} clears its failure`);
    else if (instruction.kind === 'verify') {
      for (const id of instruction.tasks) note(id, `${name} verifies it`);
    }
  }
}

function describe(event: DispatchEvent): string {
  if (event.kind === 'failure') {
    return `${event.failure.kind} ${event.failure.revision.toString()}`;
  }
  if (event.kind !== 'result') return event.kind;
  return `${event.present ? 'a result' : 'a marker'} ${event.revision.toString()}`;
}

/** The tasks that an event is about; undefined stands for all. */
function idsIn(event: DispatchEvent): readonly (TaskId | undefined)[] {
  if (event.kind === 'found') return event.tasks.map((each) => each.id);
  if (event.kind === 'absent' || event.kind === 'refused') return event.tasks;
  return [event.kind === 'result' || event.kind === 'failure' ? event.id : undefined];
}
