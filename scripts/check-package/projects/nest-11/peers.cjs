/** An application of Nest 11 with each optional package in the major that goes with it. */
require('reflect-metadata');
const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const { CacheModule } = require('@nestjs/cache-manager');
const { NestFactory } = require('@nestjs/core');
const { EventEmitter2, EventEmitterModule } = require('@nestjs/event-emitter');
const { Cron, ScheduleModule, SchedulerRegistry } = require('@nestjs/schedule');
const { DocumentBuilder, SwaggerModule } = require('@nestjs/swagger');
const { HealthCheckService, TerminusModule } = require('@nestjs/terminus');
const { TypeOrmModule } = require('@nestjs/typeorm');
const { DbLockModule, LockClient, LockServer, UseLock, currentLease } = require('nestjs-db-lock');
const { describeDbLock } = require('nestjs-db-lock/openapi');
const { LockHealthIndicator } = require('nestjs-db-lock/terminus');

class Reports {
  async send() {
    this.token = currentLease().fencingToken;
  }
}
const send = Object.getOwnPropertyDescriptor(Reports.prototype, 'send');
Cron('0 3 * * *', { name: 'nightly' })(Reports.prototype, 'send', send);
UseLock('nightly')(Reports.prototype, 'send', send);
Object.defineProperty(Reports.prototype, 'send', send);

const application = {
  // oxlint-disable-next-line typescript/no-extraneous-class -- a module of Nest needs no more
  module: class Application {},
  imports: [
    ScheduleModule.forRoot(),
    EventEmitterModule.forRoot(),
    CacheModule.register({ isGlobal: true }),
    TerminusModule.forRoot({ logger: false }),
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL, autoLoadEntities: true }),
    DbLockModule.forRoot({ createTables: true, public: true }),
  ],
  providers: [Reports, LockHealthIndicator],
};

/** A document that describes requests and answers, although Nest 11 sees no schemas. */
function checkDocument(app) {
  const document = SwaggerModule.createDocument(app, new DocumentBuilder().build(), describeDbLock(app));
  const { post } = document.paths['/dblock/locks/{lockName}/lease'];
  assert.equal(post.operationId, 'acquireLease');
  assert.deepEqual(
    post.parameters.map(({ name, in: place }) => `${place} ${name}`),
    ['path lockName'],
  );
  const { schema } = post.requestBody.content['application/json'];
  assert.deepEqual(Object.keys(schema.properties).toSorted(), [
    'grantId',
    'limit',
    'metadata',
    'mode',
    'permits',
    'ttl',
    'wait',
    'workerName',
  ]);
  assert.equal(
    post.responses['201'].content['application/json'].schema.properties.fencingToken.type,
    'integer',
  );
  assert.ok(post.responses['409'].content['application/problem+json'].schema.properties.code);
  const list = document.paths['/dblock/locks'].get.parameters.map(({ name }) => name);
  assert.ok(list.includes('search') && list.includes('state'), `The list takes ${list.join(', ')}.`);
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  for (const { operationId, summary } of operations) assert.ok(summary, `${operationId} has no summary.`);
}

async function checkHealth(app) {
  const health = app.get(HealthCheckService, { strict: false });
  const indicator = app.get(LockHealthIndicator);
  const look = () => health.check([() => indicator.isHealthy('locks')]);
  assert.equal((await look()).details.locks.status, 'up');
  const server = app.get(LockServer);
  const { ping } = server;
  server.ping = () => Promise.reject(new Error('no database'));
  const { response } = await look().catch((error) => error);
  assert.deepEqual(response.details.locks, { status: 'down', message: 'no database' });
  server.ping = ping;
}

async function main() {
  const app = await NestFactory.create(application, { logger: ['error'], abortOnError: false });
  await app.listen(0, '127.0.0.1');
  checkDocument(app);
  await checkHealth(app);

  const heard = [];
  app.get(EventEmitter2).on('db-lock.acquired', ({ lockName }) => heard.push(lockName));
  void app.get(SchedulerRegistry).getCronJob('nightly').fireOnTick();
  while (!(app.get(Reports).token > 0)) await sleep(20);
  assert.deepEqual(heard, ['nightly']);

  await app.get(LockClient).acquire('job');
  for (let look = 0; look < 2; look++) {
    const answer = await fetch(`${await app.getUrl()}/dblock/admin/api/locks?search=job`);
    assert.equal((await answer.json()).total, 1);
  }
  const gone = await fetch(`${await app.getUrl()}/dblock/admin/api/clear-expired`, {
    method: 'POST',
    headers: { 'sec-fetch-site': 'cross-site' },
  });
  assert.equal((await gone.json()).code, 'CROSS_SITE');
  await app.close();
}

setTimeout(() => {
  console.error('It has come to no end.');
  process.exit(1);
}, 60_000).unref();

main().catch((error) => {
  console.error(error);
  process.exit(1); // its servers would keep it
});
