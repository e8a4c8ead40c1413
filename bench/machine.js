import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';

/** The packages whose versions a reader wants to know. The driver of SQLite is told with its file. @param {import('./databases.js').DatabaseKind} database */
const packagesOn = (database) => [
  'nestjs-db-lock',
  ...{ postgres: ['pg'], sqlite: [], mysql: ['mysql2'] }[database],
  'typeorm',
  'ioredis',
  'redis',
  '@nestjs/core',
  'express',
  'fastify',
  'undici',
  'knex',
  '@verrou/core',
  'advisory-lock',
  'redlock',
  '@sesamecare-oss/redlock',
  'redis-semaphore',
  'redlock-universal',
  'simple-redis-mutex',
  'murlock',
  '@nestjs-redis/lock',
  'nestjs-redlock-universal',
];

/**
 * Where the results come from.
 *
 * @param {import('./servers/servers.js').Servers} servers
 */
export function describeMachine({ database, redis, durableRedis }) {
  const processors = cpus();
  return {
    time: new Date().toISOString(),
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memory: `${Math.round(totalmem() / 1024 ** 3)} GiB`,
    system: `${type()} ${release()}`,
    node: process.version,
    database: { kind: database.kind, origin: database.origin, ...database.settings },
    redis: { origin: redis.origin, ...redis.settings },
    durableRedis: { origin: durableRedis.origin, ...durableRedis.settings },
    packages: Object.fromEntries(packagesOn(database.kind).map((name) => [name, versionOf(name)])),
  };
}

/** @param {ReturnType<typeof describeMachine>} machine */
export const machineText = ({
  processor,
  cores,
  memory,
  system,
  node,
  database,
  redis,
  durableRedis,
  packages,
}) => `\
- ${processor}, ${cores} cores, ${memory}; ${system}; Node.js ${node}; everything on this one machine, over loopback
- ${database.origin}
- As shipped: ${redis.origin}
- appendfsync always: ${durableRedis.origin}
- ${Object.entries(packages)
  .map(([name, version]) => `${name} ${version}`)
  .join(', ')}
`;

/** @param {string} name */
function versionOf(name) {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return String(JSON.parse(readFileSync(file, 'utf8')).version);
}
