/** The conformance suite, by the runner that comes with Node.js, in the database that DATABASE says, with the driver that DRIVER names. */
const { describe, it, before, after } = require('node:test');
require('reflect-metadata');
const { Test } = require('@nestjs/testing');
const { TypeOrmModule } = require('@nestjs/typeorm');
const { DbLockModule, LockServer } = require('nestjs-db-lock');
const { lockConformance, subjectOfStore } = require('nestjs-db-lock/testing');

const within = (hook) => (work, timeout) => hook(work, { timeout });
const runner = {
  describe,
  it: (name, work, timeout) => it(name, { timeout }, work),
  beforeAll: within(before),
  afterAll: within(after),
};

const database = JSON.parse(process.env.DATABASE);
if (process.env.DRIVER === 'node:sqlite') database.driver = require('nestjs-db-lock/sqlite').NodeSqlite;

lockConformance(
  runner,
  'the packed library',
  async () => {
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
        DbLockModule.forRoot({ createTables: true, public: true }),
      ],
    }).compile();
    const app = module.createNestApplication({ logger: ['error'] });
    await app.init();
    const subject = subjectOfStore(app.get(LockServer).store);
    return {
      ...subject,
      close: async () => {
        subject.server.stopWaiting();
        await app.close();
      },
    };
  },
  { grants: 1_000 },
);
