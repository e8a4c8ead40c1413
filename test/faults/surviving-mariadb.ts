import mysql, { type Pool, type PoolConnection } from 'mysql2/promise';

/** Milliseconds after which a question to the database counts as unanswered. */
const PATIENCE = 2_000;

const CONNECTIONS = 8;

/** Connections of the test's own to a MariaDB, which outlive what it does to the server. */
export class SurvivingMariadb {
  readonly #pool: Pool;

  constructor(url: string) {
    this.#pool = mysql.createPool({
      uri: url,
      connectionLimit: CONNECTIONS,
      connectTimeout: PATIENCE,
      charset: 'utf8mb4',
    });
  }

  /**
   * The rows of one statement.
   * @throws Error when the database does not answer in time
   */
  async ask<Row extends object>(sql: string): Promise<Row[]> {
    const connection = await this.#pool.getConnection();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('The database did not answer in time.')), PATIENCE);
    });
    try {
      const [rows] = await Promise.race([connection.query(sql), timeout]);
      connection.release();
      return rows as Row[];
    } catch (error) {
      end(connection);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** Whatever it still says, nobody hears it. */
function end(connection: PoolConnection): void {
  connection.on('error', () => undefined);
  connection.destroy();
}
