import pg from 'pg';

/** What this process has sent to PostgreSQL, since it began to count: statements, and the locks that they name. */
export const sent = { statements: 0, names: 0 };

/** Begins to count. */
export function countStatements() {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = /** @type {any} */ (
    function (/** @type {any} */ statement, /** @type {any[]} */ ...rest) {
      sent.statements++;
      if (Array.isArray(statement?.values?.[0])) sent.names += statement.values[0].length;
      return Reflect.apply(query, this, [statement, ...rest]);
    }
  );
}
