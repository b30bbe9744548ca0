/**
 * jugq: write an ordinary loop, run it on as many machines as there are, never compute or lose the same result twice.
 *
 * This is what `import … from 'jugq'` gives: to a jugfile `task`, to a program `connect` beside it.
 *
 * The reference is for compilers that include no types by themselves: without those of Node a `URL` would be unknown,
 * and every argument of a task function be taken for good in silence.
 */
/// <reference types="node" preserve="true" />
export { task } from '../core/task.ts';
export type {
  Arg,
  Part,
  Runs,
  StandIn,
  Task,
  TaskFunction,
  TaskOptions,
  Value,
} from '../core/task.ts';
export { context } from '../core/context.ts';
export type { TaskContext } from '../core/context.ts';
export { map, mapReduce, reduce, starMap } from '../core/map.ts';
export type {
  AutoChunkOptions,
  ChunkOptions,
  MapReduceOptions,
  ReduceOptions,
} from '../core/map.ts';
export type { PartList } from '../core/part-list.ts';
export { derive, pick, split } from '../core/parts.ts';
export { after, lazy, literal, noHash } from '../core/wrapped.ts';
export type { Lazy } from '../core/wrapped.ts';
export { file, files } from '../core/files.ts';
export { shell } from '../core/external.ts';
export type { ShellOptions, ShellResult } from '../core/external.ts';
export { barrier, cached, compound, value } from '../core/planning.ts';
export type { CompoundOptions } from '../core/planning.ts';
export { hashKey } from '../core/canonical.ts';
export { isJugqError, JugqError } from '../core/errors.ts';
export type { ErrorCode } from '../core/errors.ts';
export { on } from '../core/hooks.ts';
export type { HookCallback, HookEvents, HookName } from '../core/hooks.ts';
export { connect } from './connect.ts';
export type {
  CleanUpOptions,
  ConnectOptions,
  FailureOptions,
  Jug,
  LoadJugfileOptions,
  PlanOptions,
  PlannedRun,
  RunEnd,
  RunningWorker,
  StatusOptions,
  WorkerOptions,
} from './jug.ts';
export type {
  CancelledTasks,
  Check,
  CleanUp,
  DependencyDescription,
  DiskUse,
  Exported,
  FailureDescription,
  FunctionTimes,
  FunctionUse,
  Imported,
  Invalidated,
  InvalidatedFunction,
  InvalidateOptions,
  ObjectsUse,
  ResultDescription,
  Retried,
  RetriedRun,
  Status,
  StatusCounts,
  TaskDescription,
  TaskFailure,
  WorkerStatus,
} from './library-types.ts';
export type { Counts } from '../core/records.ts';
