import { readFile } from 'node:fs/promises';

/** Where `npm run build:admin` leaves the admin page. */
export const ADMIN_PAGE = new URL('../libs/db-lock/admin-page/', import.meta.url);

const NAMED = /<(?:script|link)\b[^>]*?\s(?:src|href)="([^"]+)"/g;

/**
 * What a browser loads before it shows anything: the page and all that its tags name. What scripts load later isn't
 * among it.
 *
 * @returns {Promise<string[]>} paths below ADMIN_PAGE
 */
export async function filesOfFirstLoad() {
  const html = await readFile(new URL('index.html', ADMIN_PAGE), 'utf8');
  const named = [...html.matchAll(NAMED)].map(([, path]) => path.replace(/^\.\//, ''));
  if (!named.some((path) => path.endsWith('.js'))) throw new Error('The admin page loads no script.');
  return ['index.html', ...named];
}
