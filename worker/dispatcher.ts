/**
 * A candidate for the dispatcher's role: it dispatches whenever it holds the lease.
 *
 * It keeps no state of its own beyond a reign: each begins by reading again what the server has.
 */
import { Lease } from '../broker/lease.ts';
import type { OpenProject } from '../broker/project.ts';
import { Reign } from './reign.ts';
import type { Trace } from './trace.ts';

export interface DispatcherOptions {
  readonly project: OpenProject;
  /** Unique name of this candidate. */
  readonly holder: string;
  readonly leaseMs: number;
  /** How often the ledger is checked against the queue. */
  readonly sweepMs: number;
  /** Makes streams that have gone. */
  readonly restoreTopology: () => Promise<void>;
  readonly trace: Trace;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #lease: Lease;
  #reign: Reign | undefined;
  #stopped = false;
  /** Runs that a newer candidate was given the chance to dispatch: once, since there may be none. */
  readonly #stoodBackFor = new Set<string>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#lease = new Lease({
      bucket: options.project.leases,
      holder: options.holder,
      leaseMs: options.leaseMs,
      onAcquired: (epoch) => {
        options.trace({ kind: 'lease-acquired', epoch });
        this.#begin();
      },
      onLost: () => {
        options.trace({ kind: 'lease-lost' });
        this.#reign?.end();
      },
    });
  }

  /** Finishes what was decided, writes the records and gives the lease up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const reign = this.#reign;
    if (reign !== undefined && this.#lease.isHeld) await reign.settle();
    reign?.end();
    await this.#lease.release();
  }

  #begin(): void {
    this.#reign?.end();
    if (this.#stopped || this.#lease.epoch === 0) return;
    this.#reign = new Reign(this.#options, this.#lease, {
      restart: () => {
        this.#reign?.end();
        setTimeout(() => {
          this.#begin();
        }, restartMs).unref();
      },
      standBack: (run) => {
        if (this.#stoodBackFor.has(run)) return;
        this.#stoodBackFor.add(run);
        this.#reign?.end();
        this.#lease.standBack();
      },
    });
  }
}

const restartMs = 500;
