/** A simulated candidate for the dispatcher's role. */
import { Reign } from './reign.ts';
import type { Process, Steps } from './scheduler.ts';
import { leaseMs, type World } from './world.ts';

const restartMs = 100;

/** A process that competes for the lease and dispatches while it has it. */
export class SimulatedDispatcher {
  readonly #world: World;
  readonly #process: Process;
  #reign: Reign | undefined;
  #isHeld = false;
  #restarts = false;

  constructor(world: World, process: Process) {
    this.#world = world;
    this.#process = process;
    world.scheduler.spawn(process, this.#compete());
  }

  /** It reigns and nothing is left to do or to wait for. */
  get isQuiet(): boolean {
    return this.#reign?.isQuiet ?? false;
  }

  *#compete(): Steps {
    const { random, weather } = this.#world;
    const { name } = this.#process;
    for (;;) {
      yield random.between(leaseMs / 5, leaseMs / 3);
      const { lease, now } = this.#world;
      if (lease.holder === name) lease.renewedAt = now;
      else if (this.#isHeld) {
        // For a while two believe to hold it.
        this.#world.note?.(undefined, `${name} has lost the lease`);
        if (!this.#world.isCalm) yield random.between(0, weather.overstayMs);
        this.#lose();
      } else if (now - lease.renewedAt > leaseMs) {
        this.#world.lease = { holder: name, epoch: lease.epoch + 1, renewedAt: now };
        this.#isHeld = true;
        this.#begin(lease.epoch + 1);
      }
    }
  }

  #lose(): void {
    this.#isHeld = false;
    this.#reign?.end();
    this.#reign = undefined;
  }

  #begin(epoch: number): void {
    this.#reign?.end();
    this.#world.note?.(undefined, `${this.#process.name} reigns, epoch ${epoch.toString()}`);
    this.#restarts = false;
    const reign = new Reign(this.#world, this.#process, {
      epoch,
      isHeld: () => this.#isHeld,
      restart: () => {
        if (this.#restarts || reign !== this.#reign) return;
        this.#restarts = true;
        reign.end();
        this.#world.scheduler.after(this.#process, restartMs, () => {
          if (this.#isHeld && reign === this.#reign) this.#begin(epoch);
        });
      },
    });
    this.#reign = reign;
  }
}
