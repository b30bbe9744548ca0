/** All that runs a worker's tasks: its threads, and the processes of suspects. */
import type { OpenProject } from '../broker/project.ts';
import { quarantine } from './quarantine.ts';
import { resultStore } from './result-store.ts';
import { taskThread, type Runner } from './task-runner.ts';
import { LinkHost } from './thread-link.ts';

export interface Runners {
  readonly links: LinkHost;
  readonly threads: readonly Runner[];
  readonly suspects: Runner;
  /** Ends whatever runs. */
  close(): Promise<void>;
}

/**
 * Starts the threads, which are there a tenth of a second later.
 *
 * @param worker - its id: unique, without spaces
 */
export function startRunners(project: OpenProject, worker: string, threads: number): Runners {
  const links = new LinkHost(resultStore(project, worker));
  const all = Array.from({ length: threads }, () => taskThread(links));
  const suspects = quarantine(links);
  return {
    links,
    threads: all,
    suspects,
    async close() {
      await Promise.all([...all, suspects].map((each) => each.close()));
    },
  };
}
