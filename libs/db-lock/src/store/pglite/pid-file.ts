import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataDirectoryInUseError } from './errors.js';
import { isRunning, ownIdentity, type ProcessIdentity } from './process-identity.js';

const NAME = 'db-lock.pid';

/** Milliseconds after which a process that found the same stale file has replaced it, too, or never will. */
const SETTLING = 100;

/**
 * Marks a directory as in use by this process. A file that a dead process left behind is replaced. It guards against
 * the processes that this one can see: not against other machines, nor containers, that mount the same directory.
 */
export class PidFile {
  private readonly path: string;
  private readonly content = JSON.stringify({ ...ownIdentity(), token: randomUUID() });

  private constructor(private readonly directory: string) {
    this.path = join(directory, NAME);
  }

  /** @throws DataDirectoryInUseError when a living process, or this one, has marked the directory. */
  static async take(directory: string): Promise<PidFile> {
    const file = new PidFile(directory);
    file.write();
    // Several may have judged the same file stale and each replaced it: the last one wins, and the others see it.
    await sleep(SETTLING);
    file.verify();
    return file;
  }

  release(): void {
    if (this.read() === this.content) rmSync(this.path);
  }

  private write(): void {
    while (!this.create()) {
      const content = this.read();
      if (content === undefined) continue; // released since
      this.refuseIfHeld(content);
      return this.replace();
    }
  }

  private verify(): void {
    const content = this.read();
    if (content === this.content) return;
    this.refuseIfHeld(content ?? '');
    throw new Error(`${this.path} was removed or overwritten while this process took it.`);
  }

  private create(): boolean {
    try {
      writeFileSync(this.path, this.content, { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  private replace(): void {
    const draft = `${this.path}.${randomUUID()}`;
    writeFileSync(draft, this.content);
    renameSync(draft, this.path);
  }

  private read(): string | undefined {
    try {
      return readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  private refuseIfHeld(content: string): void {
    const holder = parse(content);
    if (holder && isRunning(holder)) throw new DataDirectoryInUseError(this.directory, holder.pid, this.path);
  }
}

/** Undefined for what is not, or not yet, a complete pid file. */
function parse(content: string): ProcessIdentity | undefined {
  try {
    const { pid, startTime } = JSON.parse(content) as ProcessIdentity;
    return Number.isSafeInteger(pid) && pid > 0 ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}
