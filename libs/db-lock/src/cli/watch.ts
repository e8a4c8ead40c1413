import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailableError } from '../lease/errors.js';
import type { WatchOptions } from './commands/watch.js';
import { LOCK_COLUMNS, lockRow } from './output/lock-row.js';
import { Table, type Cell } from './output/table.js';
import { visible } from './output/visible.js';
import type { Session } from './session.js';
import type { LockJson, Way } from './ways/way.js';

/** The pause before we listen again to who has fallen silent, in milliseconds. */
const PAUSE = 1_000;

/** Shows locks as they change, until nobody reads any more. */
export async function watch(
  session: Session,
  names: readonly string[],
  options: WatchOptions,
): Promise<void> {
  await session.at(options, async (way) => {
    const view = new View(session, names, options.prefix ?? '');
    const { gone } = session.out;
    for (let hasBegun = false; ;) {
      try {
        for await (const change of way.changes(gone)) {
          if (change.type === 'changes') await view.show(change.locks, change.removed);
          // What changed before a greeting is not told: who begins looks at it, and who begins again.
          else if (change.type === 'hello' && (hasBegun || names.length > 0)) await view.refresh(way);
          else if (change.type === 'many' || change.type === 'refresh') await view.refresh(way);
          hasBegun = true;
        }
      } catch (error) {
        gone.throwIfAborted();
        if (!hasBegun || !(error instanceof StoreUnavailableError)) throw error;
        session.warn(`${error.message} Listening again …`);
      }
      gone.throwIfAborted();
      await sleep(PAUSE, undefined, { signal: gone }).catch(() => undefined);
    }
  });
}

/** What is shown of the changes. */
class View {
  readonly #table: Table;
  /** Each lock as it was shown last. */
  readonly #shown = new Map<string, string>();
  #hasHeader = false;

  constructor(
    private readonly session: Session,
    private readonly names: readonly string[],
    private readonly prefix: string,
  ) {
    this.#table = new Table(['TIME', ...LOCK_COLUMNS], session.out.paint('bold'));
  }

  async show(locks: readonly LockJson[], removed: readonly string[]): Promise<void> {
    for (const lock of locks) if (this.#isMeant(lock.lockName) && this.#isNews(lock)) await this.#print(lock);
    for (const lockName of removed) if (this.#isMeant(lockName)) await this.#printRemoved(lockName);
  }

  /** Looks at what was not told of. */
  async refresh(way: Way): Promise<void> {
    if (this.names.length === 0)
      this.session.warn('Other locks may have changed, too: db-lock list shows them.');
    for (const name of this.names) {
      const lock = await way.inspect(name);
      if (lock && this.#isNews(lock)) await this.#print(lock);
    }
  }

  #isMeant(lockName: string): boolean {
    return lockName.startsWith(this.prefix) && (this.names.length === 0 || this.names.includes(lockName));
  }

  #isNews({ lockName, state, fencingToken, expireTime, waiting, holderCount, metadata }: LockJson): boolean {
    const version = JSON.stringify([state, fencingToken, expireTime, waiting, holderCount, metadata]);
    if (this.#shown.get(lockName) === version) return false;
    this.#shown.set(lockName, version);
    return true;
  }

  async #print(lock: LockJson): Promise<void> {
    const { out, isJson } = this.session;
    if (isJson) await out.json(lock);
    else await this.#printRow([timeOf(new Date(lock.serverTime)), ...lockRow(lock, lock.serverTime, out)]);
  }

  async #printRemoved(lockName: string): Promise<void> {
    const { out, isJson } = this.session;
    this.#shown.delete(lockName);
    if (isJson) await out.json({ lockName, state: 'removed' });
    else await this.#printRow([timeOf(new Date()), visible(lockName), 'removed']);
  }

  async #printRow(row: Cell[]): Promise<void> {
    const { out } = this.session;
    if (!this.#hasHeader) await out.print(this.#table.head([row]));
    this.#hasHeader = true;
    await out.print(...this.#table.lines([row]));
  }
}

/** On the clock of whoever watches: `03:15:07`. */
const timeOf = (time: Date): string => time.toTimeString().slice(0, 8);
