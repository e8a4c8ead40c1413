import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { AdminRequest, LockStore } from 'nestjs-db-lock';
import { describeDbLock } from 'nestjs-db-lock/openapi';
import { z } from 'zod';
import { LockService } from '../support/lock-service.js';
import type { Platform } from '../support/lock-application.js';

export type Schema = Parameters<typeof z.fromJSONSchema>[0];
export type Content = Record<string, { schema?: Schema }>;

export interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  parameters: Array<{ name: string; in: string; required?: boolean; schema?: Schema }>;
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
}

/** Each operation of the document by its name, `POST /dblock/locks/{lockName}/lease`. */
export function operationsOf(document: OpenAPIObject): Map<string, Operation> {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation as Operation,
    ]),
  );
  return new Map(operations);
}

export const asZod = (schema: Schema) => z.fromJSONSchema(schema, { defaultTarget: 'openapi-3.0' });

/** Everything below a value, the value itself among it. */
export function* within(value: unknown): Generator<object> {
  if (typeof value !== 'object' || value === null) return;
  yield value;
  for (const inner of Object.values(value)) yield* within(inner);
}

export const LEASE = 'POST /dblock/locks/{lockName}/lease';
export const SET = 'POST /dblock/lease-sets';
export const BULK = 'POST /dblock/leases';
export const ONE_LEASE = '/dblock/locks/{lockName}/lease/{grantId}';
export const ADMIN = '/dblock/admin/api';

/** It is answered by the process alone. */
export const NEEDS_NO_DATABASE = /\/admin\/api\/session$/;

/** It tells of each request by itself that the database does not answer. */
export const ANSWERS_EACH = /\/leases$/;

/** Answered when a lock is removed between the refusal and the look at whose it is by now: no test can bring that about. */
export const IN_A_RACE = /\/force-release 404$/;

export const many = (count: number) => Array.from({ length: count }, (_, at) => `judged ${at}`);

/** Which locks are meant. */
export const FILTER = { search: 'o', state: 'held', prefix: 'g' };

/** All that a list can be asked for. */
export const EVERY_FILTER = {
  ...FILTER,
  sort: 'lockTime',
  order: 'desc',
  page: '1',
  pageSize: '10',
};

export const documentOf = (app: INestApplication): OpenAPIObject =>
  SwaggerModule.createDocument(app, new DocumentBuilder().build(), describeDbLock(app));

/** The same with everything in the place of what refers to it. */
export function resolved<Value>(document: OpenAPIObject, value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  if ('$ref' in value) return resolved(document, targetOf(document, String(value.$ref)) as Value);
  if (Array.isArray(value)) return value.map((item: unknown) => resolved(document, item)) as Value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, resolved(document, inner) as unknown]),
  ) as Value;
}

/** What a reference such as `#/components/schemas/Lease` means. */
export const targetOf = (document: OpenAPIObject, reference: string): unknown =>
  reference
    .split('/')
    .slice(1)
    .reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], document);

/**
 * An application with two features, and its document.
 * @param store where the locks of each are, in place of a database
 */
export async function describedService(platform: Platform, store?: () => LockStore) {
  const resolveAccess = ({ headers }: AdminRequest) => (headers?.['x-access'] === 'none' ? null : 'edit');
  const kept = () => (store ? { store: store(), createTables: undefined } : {});
  const service = await LockService.open({
    platform,
    // A bulk is answered in part when one of its requests takes a tenth of the statement timeout longer than another.
    features: [
      { resolveAccess, statementTimeout: '60s', ...kept() },
      { feature: 'orders', ...kept() },
    ],
  });
  const document = documentOf(service.app);
  return { service, document, operations: operationsOf(resolved(document, document)) };
}
