import type { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import type { Pooler } from '../database.js';
import { BACKEND_PID } from './sessions.sql.js';

/**
 * What a connection is connected to:
 * - `own`: a session of the server, for as long as it is open;
 * - `pooled`: whatever session a pooler such as PgBouncer has at hand, another one for each transaction: no settings, no
 *   prepared statements and no LISTEN of a session.
 */
export type SessionKind = 'own' | 'pooled';

/** What we use of a node-pg client. */
interface Client {
  query(text: string): Promise<{ rows: Array<{ pid: number }> }>;
  /** The process that serves the session, as it was told when the connection was made. */
  processID: number | null;
}

/**
 * Finds out, unless it is told, what stands behind the connections of a DataSource. A pooler tells a process number of its own when a client
 * connects: it is not that of the session which answers.
 */
export async function sessionKindOf(dataSource: DataSource, pooler?: Pooler): Promise<SessionKind> {
  if (pooler !== undefined) return pooler === 'transaction' ? 'pooled' : 'own';
  const [client, release] = (await (dataSource.driver as PostgresDriver).obtainMasterConnection()) as [
    Client,
    (error?: Error) => void,
  ];
  try {
    const { rows } = await client.query(BACKEND_PID.text);
    release();
    return rows[0]!.pid === client.processID ? 'own' : 'pooled';
  } catch (error) {
    release(error as Error);
    throw error;
  }
}
