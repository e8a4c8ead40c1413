import { nameOfDatabase } from './database.js';
import { servesAdmin, type Configuration } from './configuration.js';

/** What the server serves where: paths, or whole addresses. */
export interface Addresses {
  api: string;
  docs: string;
  health: string;
  /** For Prometheus. Absent where metrics are off. */
  metrics?: string;
  /** The admin's page. Absent where the admin is not served. */
  admin?: string;
}

/** Relative to the server's root. */
export function pathsOf(configuration: Configuration): Addresses {
  const { feature } = configuration;
  return {
    api: feature,
    docs: 'docs',
    health: 'health/ready',
    ...(configuration.metrics && { metrics: 'metrics' }),
    ...(servesAdmin(configuration) && { admin: `${feature}/admin` }),
  };
}

/** @param origin of the running server, `http://127.0.0.1:3000` */
export function addressesOf(configuration: Configuration, origin: string): Addresses {
  const addresses = Object.entries(pathsOf(configuration)).map(([what, path]) => [what, `${origin}/${path}`]);
  return Object.fromEntries(addresses) as Addresses;
}

/** @param port the port it really listens on. */
export function originOf({ host }: Configuration, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The addresses for a person who has just started the server. */
export function banner(
  { api, docs, health, metrics, admin }: Addresses,
  configuration: Configuration,
): string {
  const { redisUrl } = configuration;
  return [
    '',
    '  nestjs-db-lock: the lock server is ready',
    '',
    `  Lock API   ${api}`,
    `  Admin      ${admin ?? 'not served: set DB_LOCK_ADMIN_PASSWORD'}`,
    `  API docs   ${docs}`,
    `  Health     ${health}`,
    ...(metrics === undefined ? [] : [`  Metrics    ${metrics}`]),
    `  Database   ${nameOfDatabase(configuration)}`,
    ...(redisUrl === undefined ? [] : [`  Redis gate ${new URL(redisUrl).host}`]),
    '',
    '',
  ].join('\n');
}
