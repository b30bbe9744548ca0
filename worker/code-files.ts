/** The bundles that tasks run with, as files that threads can import. */
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import { placeBundle } from './bundle-file.ts';

export class CodeFiles {
  readonly #project: OpenProject;
  readonly #directory: string;
  readonly #placed = new Map<string, string>();
  readonly #placing = new Map<string, Promise<string>>();

  /** @param directory - bundles are put under it and find their external packages there */
  constructor(project: OpenProject, directory: string) {
    this.#project = project;
    this.#directory = directory;
  }

  /** Path of the bundle with this digest, if it has been placed. */
  placed(digest: string): string | undefined {
    return this.#placed.get(digest);
  }

  /** Path of the bundle with this digest; several who ask share the reading. */
  async file(digest: string): Promise<string> {
    return this.#placed.get(digest) ?? this.#placing.get(digest) ?? this.#place(digest);
  }

  async #place(digest: string): Promise<string> {
    const placing = this.#fetch(digest);
    this.#placing.set(digest, placing);
    try {
      const path = await placing;
      this.#placed.set(digest, path);
      return path;
    } finally {
      this.#placing.delete(digest);
    }
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
