import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject } from '@nestjs/swagger';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeDbLock } from 'nestjs-db-lock/openapi';
import { LockService } from '../support/lock-service.js';
import { documentOf, operationsOf } from './openapi.js';

const run = promisify(execFile);

const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url));

/** What somebody writes who has the generated types only. */
const CLIENT = `
import type { components, operations } from './lock-server.js';

type Schemas = components['schemas'];
type Answers<Id extends keyof operations> = operations[Id]['responses'];

export const request: Schemas['AcquireLeaseRequest'] = { ttl: '30s', workerName: 'ann', metadata: { batch: 7 } };
// @ts-expect-error: a lease needs a TTL
export const timeless: Schemas['AcquireLeaseRequest'] = { workerName: 'ann' };

export const semaphore: Schemas['AcquireLeaseRequest'] = { ttl: '30s', mode: 'shared', limit: 5, permits: 2 };
export const mixed: Schemas['AcquireLeaseSetRequest'] = { ttl: '30s', lockNames: ['a', { lockName: 'b', mode: 'shared' }] };
// @ts-expect-error: there is no such mode
export const upgradeable: Schemas['AcquireLeaseRequest'] = { ttl: '30s', mode: 'upgradeable' };
export const downgraded: operations['downgradeLease']['requestBody']['content']['application/json'] = { limit: 5 };
export const isShared = ({ mode }: Schemas['Lease']): boolean => mode === 'shared';
export const isHeld = ({ mode, holderCount }: Schemas['Lock']): boolean => mode !== null && holderCount > 0;
export const limitOf = ({ holders: [oldest] }: Schemas['InspectedLock']): number | null | undefined =>
  (oldest satisfies Schemas['LockHolder'] | undefined)?.limit;
export const permitsOf = ({ queue: [first] }: Schemas['InspectedLock']): number | undefined =>
  (first satisfies Schemas['LockWaiter'] | undefined)?.permits;

export const granted = (lease: Answers<'acquireLease'>[201]['content']['application/json']): Schemas['Lease'] => lease;
export const token = ({ fencingToken }: Schemas['Lease']): number => fencingToken;
export const refused = (problem: Answers<'acquireLease'>[409]['content']['application/problem+json']): Schemas['Problem'] =>
  problem;
export const holder = ({ holder }: Schemas['Problem']): string | null | undefined => holder?.workerName;
export const names = ({ items }: Schemas['LockPage']): string[] => items.map((lock: Schemas['Lock']) => lock.lockName);
export const others = ({ others }: Schemas['ForceRelease']): Array<Schemas['EndedLease']> => others;
export const ended = ({ ended }: Schemas['ForceRelease']): Schemas['EndedLease'] | null => ended;
export const sent: operations['exchangeLeases']['requestBody']['content']['application/json'] = {
  requests: [
    { action: 'acquire', lockName: 'job', ttl: 1_000 },
    { action: 'release', lockName: 'job', grantId: '0' },
  ],
};
`;

describe('a client that is generated from the OpenAPI document', () => {
  let service: LockService;
  let document: OpenAPIObject;
  let folder: string;

  beforeAll(async () => {
    service = await LockService.open({});
    document = documentOf(service.app);
    folder = await mkdtemp(join(tmpdir(), 'db-lock-client-'));
  });
  afterAll(async () => {
    await service.close();
    await rm(folder, { recursive: true });
  });

  it('has types that read well, and fit what the server takes and answers', async () => {
    await writeFile(join(folder, 'document.json'), JSON.stringify(document));
    await writeFile(join(folder, 'client.ts'), CLIENT);
    await tool('openapi-typescript/bin/cli.js', 'document.json', '--output', 'lock-server.ts');
    const options = ['--noEmit', '--strict', '--skipDefaultLibCheck', '--module', 'nodenext'];
    await tool('typescript/bin/tsc', ...options, 'client.ts');
    const types = await readFile(join(folder, 'lock-server.ts'), 'utf8');
    expect(types).not.toMatch(/Controller/);
  });

  const tool = (path: string, ...parameters: string[]) =>
    run(process.execPath, [join(MODULES, path), ...parameters], { cwd: folder });

  it('finds each answer and each body under a name', () => {
    for (const [name, { requestBody, responses, tags }] of operationsOf(document)) {
      const body = tags?.includes('django-db-lock') ? [] : [requestBody?.content];
      for (const content of [...body, ...Object.values(responses).map((answer) => answer.content)])
        for (const [type, { schema }] of Object.entries(content ?? {}))
          if (type.endsWith('json')) expect([name, schema]).toEqual([name, { $ref: expect.any(String) }]);
    }
    const { Lease, Lock, Problem } = document.components!.schemas as Record<string, { required: string[] }>;
    expect(Lease!.required).toContain('grantId');
    expect(Lock!.required).not.toContain('grantId');
    expect(Problem!.required).toEqual(['type', 'title', 'status', 'detail', 'code']);
  });
});

describe('the name of an operation', () => {
  it.each([
    [['dblock'], ['acquireLease']],
    [['billing_eu'], ['acquireLease']],
    [
      ['dblock', 'billing_eu'],
      ['acquireLease', 'billingEuAcquireLease'],
    ],
    [
      ['orders', 'billing_eu'],
      ['ordersAcquireLease', 'billingEuAcquireLease'],
    ],
  ])('is, in an application with the features %j, %j', async (features, names) => {
    const service = await LockService.open({ features: features.map((feature) => ({ feature })) });
    const operations = [...operationsOf(documentOf(service.app))];
    const acquires = operations.filter(([name]) => /^POST .*\{lockName\}\/lease$/.test(name));
    expect(acquires.map(([, { operationId }]) => operationId)).toEqual(names);
    await service.close();
  });

  it("leaves the application's own names and schemas to it", async () => {
    const service = await LockService.open({});
    const options = describeDbLock(service.app, {
      operationIdFactory: (controller, method) => `${controller}:${method}`,
      standardSchemaConverter: () => ({ schema: { type: 'string' } }),
      ignoreGlobalPrefix: true,
    });
    expect(options.ignoreGlobalPrefix).toBe(true);
    expect(options.operationIdFactory!('Orders', 'list')).toBe('Orders:list');
    expect(options.operationIdFactory!('dblock_LocksController', 'list')).toBe('listLocks');
    expect(options.standardSchemaConverter!({}, { schemaType: 'input' })).toEqual({
      schema: { type: 'string' },
    });
    expect(describeDbLock(service.app).operationIdFactory!('Orders', 'list', '2')).toBe('Orders_list_2');
    await service.close();
  });
});
