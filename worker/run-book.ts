/** The record of one run, as the dispatcher keeps it: written by compare-and-set, only when something changed. */
import { readRun, type RunStore } from '../broker/run-records.ts';
import { encodeRecord, isOver, type RunRecord, type RunState } from '../core/records.ts';
import { countedApart, countsByFunction, executedAndCached } from '../core/run-outlook.ts';
import { state as states, type RunProgress } from '../core/run-progress.ts';

export class RunBook {
  record: RunRecord;
  /** Absent while the plan is being read. */
  run: RunProgress | undefined;
  /** The newest step whose plan is being read or has been. */
  step = 0;
  published: number;
  note: string | undefined;
  dirty = false;
  #revision: number;
  #ended: RunState | undefined;
  #paused = false;
  #awake = 0;
  #writing = false;
  /** Somebody has written what cannot be read here: the record is theirs from now on. */
  #foreign = false;

  constructor(record: RunRecord, revision: number) {
    this.record = record;
    this.published = record.published;
    this.#revision = revision;
  }

  /** Takes in what somebody wrote. */
  see(record: RunRecord, revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#foreign = false;
    this.record = record;
  }

  /** Planning can go on; the next write says so. */
  wake(): void {
    this.#awake = this.step;
    this.dirty = true;
  }

  /** Somebody wishes it paused, or to go on; the next write says so. */
  pause(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.dirty = true;
  }

  /** Whether the next write would be the first to say that it is paused. */
  get isPausing(): boolean {
    return this.#paused && this.record.state !== 'paused';
  }

  /** The run is over; the next write says so. */
  end(state: RunState): void {
    this.#ended = state;
    this.dirty = true;
  }

  /**
   * Writes the record if it changed.
   *
   * @param epoch - of the lease; a record of a later epoch is left alone
   */
  async write(project: RunStore, epoch: number): Promise<void> {
    if (!this.dirty || this.#writing || this.#foreign || isOver(this.record.state)) return;
    if (this.run === undefined && this.#ended === undefined && this.note === undefined) return;
    this.#writing = true;
    try {
      this.dirty = false;
      const next = this.#compose(epoch);
      if (sameBut(next, this.record)) return;
      const revision = await project.runs.put(next.id, encodeRecord(next), this.#revision);
      if (revision !== undefined) {
        this.see(next, revision);
        return;
      }
      // Somebody wrote meanwhile: learn their revision and write again unless they dispatch.
      const entry = await project.runs.get(next.id);
      if (entry === undefined) return;
      const theirs = readRun(project, entry);
      this.#foreign = theirs === undefined;
      if (theirs === undefined) return;
      this.see(theirs, entry.revision);
      this.dirty = theirs.epoch <= epoch;
    } finally {
      this.#writing = false;
    }
  }

  #compose(epoch: number): RunRecord {
    const { note: _previous, awake: _before, dropped: _last, ...record } = this.record;
    const awake = this.#awake === record.step;
    const parked = awake || record.waits !== undefined;
    const state = this.#ended ?? (this.#paused ? 'paused' : parked ? 'parked' : 'running');
    return {
      ...record,
      ...(awake ? { awake: record.step } : {}),
      state,
      epoch,
      published: this.published,
      ...(this.run === undefined
        ? {}
        : {
            functions: countsByFunction(this.run),
            ...executedAndCached(this.run),
            ...whatCountsApart(this.run),
          }),
      ...(this.#ended === undefined ? {} : { endedAt: new Date().toISOString() }),
      ...(this.note === undefined ? {} : { note: this.note }),
    };
  }
}

function whatCountsApart(
  run: RunProgress,
): Pick<RunRecord, 'cancelling' | 'cancelled' | 'dropped'> {
  const { cancelling } = run;
  const dropped = countedApart(run, states.dropped);
  return {
    ...(cancelling.length === 0
      ? {}
      : { cancelling, cancelled: countedApart(run, states.cancelled) }),
    ...(Object.keys(dropped).length === 0 ? {} : { dropped }),
  };
}

/** Equal apart from the time of the end. */
function sameBut(a: RunRecord, b: RunRecord): boolean {
  return JSON.stringify({ ...a, endedAt: '' }) === JSON.stringify({ ...b, endedAt: '' });
}
