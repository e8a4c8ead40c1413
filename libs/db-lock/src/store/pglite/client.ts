import type { SessionLease } from './embedded-database.js';

type Listener = (...args: unknown[]) => void;

interface QueryConfig {
  text?: string;
  name?: string;
  /** What pg-query-stream and its like bring along. */
  submit?: unknown;
}

/** What a pool lends out: as much of a node-pg client as TypeORM and we use. */
export class PgliteClient {
  private released = false;

  /** @param namespace keeps this pool's prepared statements apart from those that other pools gave the same name */
  constructor(
    private readonly lease: SessionLease,
    private readonly namespace: string,
  ) {}

  /**
   * As in node-pg: `(text, values?, callback?)`, or an object with text, values, name, query_timeout, … for the first.
   * @throws Error when the client has been released
   */
  query(statement: QueryConfig | string, ...rest: unknown[]): unknown {
    if (!this.released) return this.lease.session.query(this.inNamespace(statement), rest);

    const error = new Error('The client has been released to its pool: connect again.');
    const callback = rest.at(-1) as ((error: Error) => unknown) | undefined;
    return typeof callback === 'function' ? callback(error) : Promise.reject(error);
  }

  /** Listens to the session: like a pooled connection, it outlives the lease. */
  on(event: string, listener: Listener): this {
    this.lease.session.events.on(event, listener);
    return this;
  }

  once(event: string, listener: Listener): this {
    this.lease.session.events.once(event, listener);
    return this;
  }

  removeListener(event: string, listener: Listener): this {
    this.lease.session.events.removeListener(event, listener);
    return this;
  }

  /** Gives the session to the next in line, when what still runs has ended; an open transaction is rolled back. */
  release(): void {
    if (this.released) return;
    this.released = true;
    this.lease.handBack();
  }

  private inNamespace(statement: QueryConfig | string): QueryConfig | string {
    if (typeof statement === 'string' || !statement.name || statement.submit) return statement;
    return { ...statement, name: this.namespace + statement.name };
  }
}
