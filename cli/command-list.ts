/** All commands, in the order in which help shows them. */
import { CancelCommand } from './commands/cancel-command.ts';
import { CheckCommand } from './commands/check-command.ts';
import { CleanupCommand } from './commands/cleanup-command.ts';
import { CompletionCommand } from './commands/completion-command.ts';
import { ConfigCommand } from './commands/config-command.ts';
import { CountCommand } from './commands/count-command.ts';
import { DemoCommand } from './commands/demo-command.ts';
import { DescribeCommand } from './commands/describe-command.ts';
import { DoctorCommand } from './commands/doctor-command.ts';
import { DuCommand } from './commands/du-command.ts';
import { FailuresCommand } from './commands/failures-command.ts';
import { ExecCommand } from './commands/exec-command.ts';
import { ExportCommand } from './commands/export-command.ts';
import { GetCommand } from './commands/get-command.ts';
import { GraphCommand } from './commands/graph-command.ts';
import { ImportCommand } from './commands/import-command.ts';
import { InitCommand } from './commands/init-command.ts';
import { InvalidateCommand } from './commands/invalidate-command.ts';
import { PauseCommand } from './commands/pause-command.ts';
import { PlanCommand } from './commands/plan-command.ts';
import { ResumeCommand } from './commands/resume-command.ts';
import { RetryCommand } from './commands/retry-command.ts';
import { RunCommand } from './commands/run-command.ts';
import { ServerCommand } from './commands/server-command.ts';
import { ShellCommand } from './commands/shell-command.ts';
import { StatusCommand } from './commands/status-command.ts';
import { WaitCommand } from './commands/wait-command.ts';
import { WorkerCommand } from './commands/worker-command.ts';

/** The classes of all commands. */
export const commands = [
  RunCommand,
  PlanCommand,
  WorkerCommand,
  ServerCommand,
  StatusCommand,
  CheckCommand,
  CountCommand,
  GetCommand,
  DescribeCommand,
  ExecCommand,
  ShellCommand,
  GraphCommand,
  WaitCommand,
  CancelCommand,
  PauseCommand,
  ResumeCommand,
  FailuresCommand,
  RetryCommand,
  InvalidateCommand,
  DuCommand,
  CleanupCommand,
  ExportCommand,
  ImportCommand,
  ConfigCommand,
  DoctorCommand,
  CompletionCommand,
  InitCommand,
  DemoCommand,
];
