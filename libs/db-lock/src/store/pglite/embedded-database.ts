import { Session } from './session.js';
import { Turnstile } from './turnstile.js';

/** Somebody who needs the database open. */
export interface DatabaseUser {
  /** Whether it has left for good. */
  readonly ended: boolean;
}

/** The session for one user alone, until it is handed back. */
export interface SessionLease {
  session: Session;
  /** To be called once. */
  handBack: () => void;
}

/** A PGlite that is open while somebody uses it. Opening, statements and closing never overlap: each is a turn. */
export class EmbeddedDatabase {
  private readonly turnstile = new Turnstile();
  private readonly users = new Set<DatabaseUser>();
  private session?: Session;

  /** @param dataDir in memory without one */
  constructor(private readonly dataDir?: string) {}

  /**
   * Leases the session; opens the database for its first user.
   * @param patience milliseconds to wait for those who came before; 0 is for ever
   * @throws Error when patience ran out, the user has left, or the database doesn't open
   */
  async lease(user: DatabaseUser, patience: number): Promise<SessionLease> {
    const leave = await this.turnstile.enter(patience);
    try {
      if (user.ended) throw new Error('The pool has ended.');
      const session = await this.liveSession();
      this.users.add(user);
      return { session, handBack: () => void handBack(session, leave) };
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Says that this user leaves. After the last one the database closes, once all leases are handed back. */
  async leave(user: DatabaseUser): Promise<void> {
    this.users.delete(user);
    if (this.users.size > 0) return;
    const leave = await this.turnstile.enter();
    try {
      if (this.users.size === 0) await this.close();
    } finally {
      leave();
    }
  }

  /** A crashed database opens again from its directory. One in memory stays broken: an empty one would be a lie. */
  private async liveSession(): Promise<Session> {
    if (this.session?.broken && this.dataDir !== undefined) await this.close();
    return (this.session ??= await Session.open(this.dataDir));
  }

  private async close(): Promise<void> {
    const session = this.session;
    this.session = undefined;
    await session?.close();
  }
}

/** PGlite computes in this thread and answers by promises alone: without the pause, timers and sockets would starve. */
async function handBack(session: Session, leave: () => void): Promise<void> {
  await session.comeToRest();
  setImmediate(leave);
}
