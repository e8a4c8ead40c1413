import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { describeDbLock } from 'nestjs-db-lock/openapi';
import type { Configuration } from './configuration.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/** Serves the OpenAPI document, and a page to try it out. */
export function serveApiDocs(app: INestApplication, configuration: Configuration): void {
  SwaggerModule.setup('docs', app, () => apiDocument(app, configuration), {
    customSiteTitle: 'Lock server: API docs',
  });
}

function apiDocument(app: INestApplication, { apiToken, adminPassword }: Configuration): OpenAPIObject {
  const about = new DocumentBuilder()
    .setTitle('Lock server')
    .setDescription('Named locks that live in a SQL database.')
    .setVersion('1');
  if (apiToken) about.addBearerAuth();
  if (adminPassword) about.addBasicAuth();
  const document = SwaggerModule.createDocument(app, about.build(), describeDbLock(app));
  for (const operation of operationsOf(document)) {
    const isAdmin = operation.tags?.includes('Admin');
    if (isAdmin && adminPassword)
      demand(operation, 'basic', 'The password is missing or wrong. Nothing was done.');
    if (isOfLocks(operation) && apiToken)
      demand(operation, 'bearer', 'The bearer token is missing or wrong. Nothing was done.');
  }
  return document;
}

function operationsOf({ paths }: OpenAPIObject): Operation[] {
  return Object.values(paths).flatMap((path) => Object.values(path) as Operation[]);
}

/** Health checks are open to everybody. */
const isOfLocks = ({ tags = [] }: Operation) => tags.includes('Locks') || tags.includes('django-db-lock');

/** Says which credentials the operation asks for. Who has them not is answered as it answers other mistakes. */
function demand(operation: Operation, scheme: string, description: string): void {
  const [, mistake] = Object.entries(operation.responses).find(([status]) => status >= '400')!;
  operation.security = [{ [scheme]: [] }];
  operation.responses['401'] = { ...mistake, description };
}
