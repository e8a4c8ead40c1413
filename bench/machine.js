import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';

/** The packages whose versions a reader wants to know. */
const PACKAGES = [
  'nestjs-db-lock',
  'pg',
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
export function describeMachine({ postgres, redis, durableRedis }) {
  const processors = cpus();
  return {
    time: new Date().toISOString(),
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memory: `${Math.round(totalmem() / 1024 ** 3)} GiB`,
    system: `${type()} ${release()}`,
    node: process.version,
    postgres: { origin: postgres.origin, ...postgres.settings },
    redis: { origin: redis.origin, ...redis.settings },
    durableRedis: { origin: durableRedis.origin, ...durableRedis.settings },
    packages: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
  };
}

/** @param {ReturnType<typeof describeMachine>} machine */
export const machineText = ({
  processor,
  cores,
  memory,
  system,
  node,
  postgres,
  redis,
  durableRedis,
  packages,
}) => `\
- ${processor}, ${cores} cores, ${memory}; ${system}; Node.js ${node}; everything on this one machine, over loopback
- ${postgres.origin}
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
