/** Where LockClient can keep its locks. @typedef {'postgres' | 'sqlite' | 'mysql'} DatabaseKind */

/** @type {readonly DatabaseKind[]} */
export const DATABASES = ['postgres', 'sqlite', 'mysql'];

/** By the scheme of their URLs. @type {Record<string, DatabaseKind>} */
const SCHEMES = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'file:': 'sqlite',
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
};

/** Which database a URL leads to. @param {string} url @returns {DatabaseKind} */
export function databaseOf(url) {
  const kind = SCHEMES[new URL(url).protocol];
  if (!kind) throw new Error(`${url} leads to no database that is known here.`);
  return kind;
}
