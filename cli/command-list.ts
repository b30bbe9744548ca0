/** All commands, in the order in which help shows them; each is loaded when it is wanted. */
import type { CommandClass } from 'clipanion';
import type { CommandContext } from './commands/base.ts';

type JugqCommandClass = CommandClass<CommandContext>;

const loaders = {
  run: async () => (await import('./commands/run-command.ts')).RunCommand,
  plan: async () => (await import('./commands/plan-command.ts')).PlanCommand,
  worker: async () => (await import('./commands/worker-command.ts')).WorkerCommand,
  server: async () => (await import('./commands/server-command.ts')).ServerCommand,
  status: async () => (await import('./commands/status-command.ts')).StatusCommand,
  check: async () => (await import('./commands/check-command.ts')).CheckCommand,
  count: async () => (await import('./commands/count-command.ts')).CountCommand,
  get: async () => (await import('./commands/get-command.ts')).GetCommand,
  describe: async () => (await import('./commands/describe-command.ts')).DescribeCommand,
  exec: async () => (await import('./commands/exec-command.ts')).ExecCommand,
  shell: async () => (await import('./commands/shell-command.ts')).ShellCommand,
  graph: async () => (await import('./commands/graph-command.ts')).GraphCommand,
  wait: async () => (await import('./commands/wait-command.ts')).WaitCommand,
  cancel: async () => (await import('./commands/cancel-command.ts')).CancelCommand,
  pause: async () => (await import('./commands/pause-command.ts')).PauseCommand,
  resume: async () => (await import('./commands/resume-command.ts')).ResumeCommand,
  failures: async () => (await import('./commands/failures-command.ts')).FailuresCommand,
  retry: async () => (await import('./commands/retry-command.ts')).RetryCommand,
  invalidate: async () => (await import('./commands/invalidate-command.ts')).InvalidateCommand,
  du: async () => (await import('./commands/du-command.ts')).DuCommand,
  cleanup: async () => (await import('./commands/cleanup-command.ts')).CleanupCommand,
  export: async () => (await import('./commands/export-command.ts')).ExportCommand,
  import: async () => (await import('./commands/import-command.ts')).ImportCommand,
  config: async () => (await import('./commands/config-command.ts')).ConfigCommand,
  doctor: async () => (await import('./commands/doctor-command.ts')).DoctorCommand,
  completion: async () => (await import('./commands/completion-command.ts')).CompletionCommand,
  init: async () => (await import('./commands/init-command.ts')).InitCommand,
  demo: async () => (await import('./commands/demo-command.ts')).DemoCommand,
} satisfies Record<string, () => Promise<JugqCommandClass>>;

type CommandName = keyof typeof loaders;

export const commandNames = Object.keys(loaders) as CommandName[];

/** Whether there is a command of that name. */
export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(loaders, name);
}

/** The class of one command. */
export function loadCommand(name: CommandName): Promise<JugqCommandClass> {
  return loaders[name]();
}

/** The classes of all commands, in order. */
export function loadCommands(): Promise<JugqCommandClass[]> {
  return Promise.all(commandNames.map(loadCommand));
}
