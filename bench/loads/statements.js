import pg from 'pg';

/** What this process has sent to PostgreSQL, since it began to count: statements, and the locks that they name. */
export const sent = { statements: 0, names: 0 };

/** Begins to count. */
export function countStatements() {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = /** @type {any} */ (
    function (/** @type {any} */ statement, /** @type {any[]} */ ...rest) {
      sent.statements++;
      sent.names += namesIn(statement?.values?.[0]);
      return Reflect.apply(query, this, [statement, ...rest]);
    }
  );
}

/** How many names a first parameter lists: an array, or one as PostgreSQL writes it. @param {unknown} list */
function namesIn(list) {
  if (Array.isArray(list)) return list.length;
  return typeof list === 'string' && list.startsWith('{"') ? list.split('","').length : 0;
}
