import { servesAdmin } from './app.module.js';
import type { Configuration } from './configuration.js';

/** Where a running server can be reached. */
export interface Addresses {
  api: string;
  docs: string;
  health: string;
  /** The admin's page. Absent where the admin is not served. */
  admin?: string;
}

/** @param port the port it really listens on. */
export function addressesOf(configuration: Configuration, port: number): Addresses {
  const { host, feature } = configuration;
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    api: `${origin}/${feature}`,
    docs: `${origin}/docs`,
    health: `${origin}/health/ready`,
    ...(servesAdmin(configuration) && { admin: `${origin}/${feature}/admin` }),
  };
}

/** The addresses for a person who has just started the server. */
export function banner(
  { api, docs, health, admin }: Addresses,
  { databaseUrl, dataDir, redisUrl }: Configuration,
): string {
  const database = databaseUrl === undefined ? `embedded, in ${dataDir}` : new URL(databaseUrl).host;
  return [
    '',
    '  nestjs-db-lock: the lock server is ready',
    '',
    `  Lock API   ${api}`,
    `  Admin      ${admin ?? 'not served: set DB_LOCK_ADMIN_PASSWORD'}`,
    `  API docs   ${docs}`,
    `  Health     ${health}`,
    `  Database   ${database}`,
    ...(redisUrl === undefined ? [] : [`  Redis gate ${new URL(redisUrl).host}`]),
    '',
    '',
  ].join('\n');
}
