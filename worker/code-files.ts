/** The bundles that tasks run with, as files that threads can import. */
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import { placeBundle } from './bundle-file.ts';

export class CodeFiles {
  readonly #project: OpenProject;
  readonly #directory: string;
  readonly #files = new Map<string, Promise<string>>();
  readonly #known = new Map<string, string>();

  /** @param directory - bundles are put under it and find their external packages there */
  constructor(project: OpenProject, directory: string) {
    this.#project = project;
    this.#directory = directory;
  }

  /** Path of the bundle with this digest if it has been placed. */
  known(digest: string): string | undefined {
    return this.#known.get(digest);
  }

  /** Path of the bundle with this digest; several who ask share the reading. */
  file(digest: string): Promise<string> {
    let file = this.#files.get(digest);
    if (file === undefined) {
      file = this.#fetch(digest);
      this.#files.set(digest, file);
      file.then(
        (path) => this.#known.set(digest, path),
        () => this.#files.delete(digest),
      );
    }
    return file;
  }

  async #fetch(digest: string): Promise<string> {
    const bytes = await this.#project.code.get(digest);
    if (bytes === undefined) {
      throw new JugqError(
        'VALUE_CORRUPT',
        `the code ${digest.slice(0, 12)} is not on the server: plan again`,
      );
    }
    return placeBundle(digest, bytes, this.#directory);
  }
}
