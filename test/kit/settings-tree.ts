/** Settings files in a temporary directory, and what is loaded from there. */
import type { ExecutionContext } from 'ava';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  loadSettings,
  type LoadedSettings,
  type SettingFlags,
  type SettingKey,
} from '../../cli/settings.ts';
import { isJugqError } from '../../core/errors.ts';

/** Directories with settings files in them. */
export interface Tree {
  readonly root: string;
  /** Loads with the user's directory at `home`. */
  load(options?: { flags?: SettingFlags; env?: NodeJS.ProcessEnv; cwd?: string }): LoadedSettings;
}

/** A directory with these files; values that are not text are written as JSON. */
export function tree(t: ExecutionContext, files: Record<string, unknown> = {}): Tree {
  const root = mkdtempSync(join(tmpdir(), 'jugq-settings-'));
  t.teardown(() => {
    rmSync(root, { recursive: true });
  });
  for (const [name, content] of Object.entries({
    'home/.keep': '',
    'repo/.git/HEAD': '',
    ...files,
  })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(
      join(root, name),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
  }
  mkdirSync(join(root, 'repo/packages/a'), { recursive: true });
  return {
    root,
    load: ({ flags = {}, env = {}, cwd = 'repo' } = {}) =>
      loadSettings({ flags, env: { HOME: join(root, 'home'), ...env }, cwd: join(root, cwd) }),
  };
}

/** How a setting is listed. */
export function originOf(
  loaded: LoadedSettings,
  key: SettingKey,
): { value: unknown; origin: string } {
  const found = loaded.origins.find((each) => each.key === key);
  if (found === undefined) throw new Error(`expected ${key} to be listed`);
  return { value: found.value, origin: found.origin };
}

/** The action throws an error of this text about a wrong setting. */
export function refused(t: ExecutionContext, action: () => unknown, message: RegExp): void {
  const error = t.throws(action);
  t.true(isJugqError(error, 'SETTINGS_INVALID'), error.message);
  t.regex(error.message, message);
}
