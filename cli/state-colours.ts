/** One colour a state, wherever pages and graphs show them: told apart by those who see red and green alike, too. */
import type { TaskState } from '../core/records.ts';

export const stateColours: Readonly<Record<TaskState, string>> = {
  failed: '#d55e00',
  blocked: '#e69f00',
  waiting: '#cccccc',
  ready: '#f0e442',
  running: '#56b4e9',
  finished: '#009e73',
  cancelled: '#cc79a7',
  dropped: '#99d8c7',
};
