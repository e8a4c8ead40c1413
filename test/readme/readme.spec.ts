import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { STATIC_OPTIONS } from '../../libs/db-lock/src/module/module-definition.js';
import { optionsSchema } from '../../libs/db-lock/src/module/options.js';
import { createMariadbDatabase } from '../support/mariadb-server.js';
import { startRedis } from '../support/redis-server.js';
import { StandaloneServer } from '../support/standalone-server.js';
import { hasProgram, requireProgram } from '../support/system-program.js';
import { createTestDatabase } from '../support/test-database.js';
import { blocksOf, fileNameOf } from './examples.js';

const ROOT = new URL('../../', import.meta.url);
const README = new URL('README.md', ROOT);
const LOADER = new URL('test/support/typescript-loader.mjs', ROOT).href;

/** Starts the README's application and uses it. */
const MAIN = `
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { SchedulerRegistry } from '@nestjs/schedule';
import { LockClient } from 'nestjs-db-lock';
import { AppModule } from './app.module.js';
import { Invoices } from './invoices.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
console.log(await app.get(Invoices).send(42));
console.log(await app.get(Invoices).sendUnlessBusy(42));
// Waiting: the second gets the lock when the first lets it go.
const lease = await app.get(LockClient).acquire('invoice:7');
const waiting = app.get(Invoices).send(7);
await lease.release();
console.log(await waiting);
// The cron job, on two instances at once.
const other = await NestFactory.createApplicationContext(AppModule, { logger: false });
await Promise.all([app, other].map((one) => one.get(SchedulerRegistry).getCronJob('nightly').fireOnTick()));
await app.get(LockClient).tryAcquire('gated');
await other.close();
await app.close();
`;

const blocks = blocksOf(README);
const examples = [...blocks, ...blocksOf(new URL('docs/http.md', ROOT))];
const example = (name: string) => examples.filter((block) => block.example === name);

/** Runs a program, and returns what it printed. */
function run(
  command: string,
  args: string[],
  input: string,
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...environment } });
    let output = '';
    let complaints = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${command}: ${complaints}${output}`)),
    );
    child.stdin.end(input);
  });
}

/** What TypeScript has against these files. What they import has a check of its own. */
function complaintsOf(files: string[]): unknown[] {
  const { config } = ts.readConfigFile(fileURLToPath(new URL('tsconfig.json', ROOT)), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, fileURLToPath(ROOT));
  const program = ts.createProgram(files, options);
  return files
    .flatMap((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file)))
    .map(({ messageText }) => messageText);
}

/** What the application prints. */
const OUTPUT =
  /^invoice 42 sent under token \d{16}\ntrue\ninvoice 7 sent under token \d{16}\nreport sent under token \d{16}\n$/;

/** An application's options for TypeORM stand where the README's do; nothing else changes. */
const OTHER_DATABASES = [
  {
    name: 'SQLite',
    canBeHad: () => true,
    async open() {
      const directory = await mkdtemp(join(tmpdir(), 'db-lock-readme-sqlite-'));
      return {
        options: "type: 'better-sqlite3', driver: libsql, database: process.env.DATABASE_FILE!,",
        imports: "import libsql from 'libsql';\n",
        environment: { DATABASE_FILE: join(directory, 'app.db') },
        close: () => rm(directory, { recursive: true }),
      };
    },
  },
  {
    name: 'MariaDB',
    canBeHad: () => hasProgram('mariadbd', "the README's application on MariaDB", 'mariadb-server'),
    async open() {
      const { url, drop } = await createMariadbDatabase();
      return {
        options: "type: 'mysql', url: process.env.DATABASE_URL,",
        imports: '',
        environment: { DATABASE_URL: url },
        close: drop,
      };
    },
  },
];

/** The files of the README's application, in a folder of this workspace. */
async function applicationIn(name: string, change = (text: string) => text): Promise<string> {
  const folder = fileURLToPath(new URL(`.cache/${name}/`, ROOT));
  await mkdir(folder, { recursive: true });
  for (const block of [...example('application'), ...example('script')])
    await writeFile(join(folder, fileNameOf(block)), change(block.text));
  await writeFile(join(folder, 'main.ts'), MAIN);
  return folder;
}

const runFile = (path: string, environment: NodeJS.ProcessEnv) =>
  run(process.execPath, ['--import', LOADER, path], '', { ...environment, NODE_OPTIONS: '' });

describe('the README', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-readme-'));
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('marks every block as an example that is run here', () => {
    expect(blocks.map(({ example: name }) => name)).toEqual([
      'application',
      'application',
      'application',
      'script',
      'curl',
    ]);
  });

  it('has an application that compiles and locks', async () => {
    const folder = await applicationIn('readme');
    const files = [...example('application'), ...example('script')].map(fileNameOf);
    expect(complaintsOf([...files, 'main.ts'].map((name) => join(folder, name)))).toEqual([]);

    const database = await createTestDatabase();
    const redis = await startRedis();
    const environment = { DATABASE_URL: database.url, REDIS_URL: redis.url };
    expect(await runFile(join(folder, 'main.ts'), environment)).toMatch(OUTPUT);
    expect(await runFile(join(folder, 'nightly.ts'), environment)).toBe(
      'no other copy of this script runs now\n',
    );
    await redis.stop();
    await database.drop();
    await rm(folder, { recursive: true });
  });

  it.each(OTHER_DATABASES.filter(({ canBeHad }) => canBeHad()))(
    'has an application that locks on $name, too',
    async ({ name, open }) => {
      const { options, imports, environment, close } = await open();
      const folder = await applicationIn(`readme-${name}`, (text) =>
        text
          .replace("{ type: 'postgres', url: process.env.DATABASE_URL,", `{ ${options}`)
          .replace(/^import/m, `${imports}import`),
      );
      expect(await readFile(join(folder, 'app.module.ts'), 'utf8')).toContain(options);
      expect(await runFile(join(folder, 'main.ts'), environment)).toMatch(OUTPUT);
      await close();
      await rm(folder, { recursive: true });
    },
  );

  describe('calls the standalone server', () => {
    let server: StandaloneServer;

    beforeAll(async () => {
      server = await StandaloneServer.start({ DB_LOCK_DATA_DIR: join(directory, 'data'), LOG_LEVEL: 'warn' });
    });

    afterAll(() => server.end());

    const here = (text: string) => text.replaceAll('http://127.0.0.1:3000', server.origin);

    it('with curl', async () => {
      requireProgram('curl');
      await writeFile(join(directory, '.curlrc'), 'silent\nshow-error\nfail-with-body\nwrite-out = "\\n"\n');
      const { text } = example('curl')[0]!;
      const output = await run('bash', ['-e'], here(text), { CURL_HOME: directory });
      const answers = output.split('\n').filter((line) => line.startsWith('{'));
      expect(answers.map((answer) => JSON.parse(answer) as object)).toMatchObject([
        { lockName: 'report', workerName: 'me', fencingToken: expect.any(Number) },
        { lockName: 'report', state: 'held', workerName: 'me' },
        { lockName: 'report', workerName: 'me' },
      ]);
      expect((await server.call('/dblock/locks/report')).body['state']).toBe('released');
    });

    it("with curl, as the admin's page does", async () => {
      await server.call('/dblock/locks/import/lease', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ttl: '1m', workerName: 'old' }),
      });
      const { text } = example('admin')[0]!;
      const output = await run('bash', ['-e'], here(text), { CURL_HOME: directory });
      const answers = output.split('\n').filter((line) => line.startsWith('{'));
      expect(answers.map((answer) => JSON.parse(answer) as object)).toMatchObject([
        { total: 1, items: [{ lockName: 'import', workerName: 'old' }] },
        { lockName: 'import', ended: { workerName: 'old' } },
      ]);
      expect((await server.call('/dblock/locks/import')).body['state']).toBe('released');
    });

    it('from Python', async () => {
      requireProgram('python3');
      const { text } = example('python')[0]!;
      expect(await run('python3', ['-'], here(text), {})).toBe('got it\n');
      expect((await server.call('/dblock/locks/import')).body['state']).toBe('released');
    });
  });

  it('lists every option, and none that there is not', async () => {
    const text = await readFile(README, 'utf8');
    const table = text.slice(text.indexOf('## Options'), text.indexOf('A lease takes'));
    const listed = [...table.matchAll(/^\| (`[^|]*)\|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    listed.push(...[...table.matchAll(/`((?:acquire|release)LockPath)`/g)].map(([, name]) => name));
    const known = [...Object.keys(STATIC_OPTIONS), ...Object.keys(optionsSchema.shape)];
    expect(listed.filter((name) => name !== 'public').sort()).toEqual(
      known.filter((name) => name !== 'public').sort(),
    );
    expect(text.split('\n').length).toBeLessThan(200);
  });

  it('links to files that are there', async () => {
    for (const page of [
      'README.md',
      'CONTRIBUTING.md',
      'docs/safety.md',
      'docs/waiting.md',
      'docs/decorator.md',
      'docs/gate.md',
      'docs/admin.md',
      'docs/http.md',
      'docs/operations.md',
      'docs/command-line.md',
      'docs/testing.md',
      'docs/applications.md',
      'samples/README.md',
      'docs/extending.md',
      'docs/benchmarks.md',
    ]) {
      const from = new URL(page, ROOT);
      for (const [, link] of (await readFile(from, 'utf8')).matchAll(/\]\((?!https?:)([^)#]+)/g))
        await expect(stat(new URL(link!, from))).resolves.toBeDefined();
    }
  });
});
