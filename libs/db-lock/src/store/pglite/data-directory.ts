import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PidFile } from './pid-file.js';

/** A directory for PGlite's files, in use by this process alone. */
export class DataDirectory {
  private constructor(
    /** Absolute: PGlite would take a relative path such as `memory://` for something else. */
    readonly path: string,
    private readonly pidFile: PidFile,
  ) {}

  /**
   * Creates the directory if need be, and claims it for this process.
   * @throws DataDirectoryInUseError
   */
  static async claim(dataDir: string): Promise<DataDirectory> {
    const path = resolve(dataDir);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const directory = new DataDirectory(path, await PidFile.take(path));
    directory.discardHalfADatabase();
    return directory;
  }

  /** To be called once PGlite has opened: from now on the directory holds a complete database. */
  isComplete(): void {
    rmSync(this.unfinished, { force: true });
  }

  release(): void {
    this.pidFile.release();
  }

  /**
   * PGlite makes a database only where PG_VERSION is missing, and not atomically: a process killed meanwhile would
   * leave a directory that never opens again. Without PG_VERSION, PGlite writes all files anew.
   */
  private discardHalfADatabase(): void {
    const version = join(this.path, 'PG_VERSION');
    if (existsSync(this.unfinished)) rmSync(version, { force: true });
    if (!existsSync(version)) writeFileSync(this.unfinished, '');
  }

  private get unfinished(): string {
    return join(this.path, 'db-lock.unfinished');
  }
}
