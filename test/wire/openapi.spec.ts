import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { LockService } from '../support/lock-service.js';
import { PLATFORMS } from '../support/platforms.js';
import { isOfPage, routesBelow } from '../support/routes.js';
import type { Operation } from './openapi.js';
import { NEEDS_NO_DATABASE, ANSWERS_EACH, describedService, targetOf, within } from './openapi.js';

describe.each(PLATFORMS)('the OpenAPI document of an application with two features on %s', (platform) => {
  let service: LockService;
  let document: OpenAPIObject;
  let operations: Map<string, Operation>;

  beforeAll(async () => {
    ({ service, document, operations } = await describedService(platform));
  });
  afterAll(() => service.close());

  it('describes every route of each feature but the page, and no other', () => {
    for (const feature of ['dblock', 'orders']) {
      const routes = routesBelow(service.app, feature)
        .filter((route) => !isOfPage(route))
        .map(({ method, path }) => `${method} /${path.replaceAll(/:(\w+)/g, '{$1}')}`);
      expect(routes.length).toBeGreaterThanOrEqual(31);
      expect([...operations.keys()].filter((name) => name.includes(` /${feature}/`)).sort()).toEqual(
        routes.sort(),
      );
    }
    expect([...operations.keys()].filter((name) => !/ \/(dblock|orders)\//.test(name))).toEqual([]);
  });

  it('gives every operation an id of its own, a summary and a tag', () => {
    const ids = [...operations.values()].map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operationId, summary, tags } of operations.values())
      expect([operationId, summary, tags]).toEqual([
        expect.stringMatching(/^[a-z]+([A-Z][a-z]+)+$/),
        expect.stringMatching(/\w/),
        [expect.stringMatching(/^(Locks|Admin|django-db-lock)$/)],
      ]);
  });

  it('describes one feature as it describes the other', () => {
    const described = (feature: string) =>
      [...operations]
        .filter(([name]) => name.includes(` /${feature}/`))
        .map(([name, operation]) => ({ ...operation, name: name.replace(feature, 'feature') }));
    expect(described('orders')).toEqual(
      described('dblock').map((operation) => ({
        ...operation,
        operationId: `orders${operation.operationId[0]!.toUpperCase()}${operation.operationId.slice(1)}`,
      })),
    );
  });

  it('is plain JSON of OpenAPI 3.0, and all that it refers to is there', () => {
    expect(document.openapi).toMatch(/^3\.0\.\d+$/);
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    for (const part of within(document)) {
      if (!('$ref' in part)) continue;
      expect([part.$ref, targetOf(document, String(part.$ref))]).toEqual([part.$ref, expect.anything()]);
    }
  });

  it('has a parameter for each in its path, and a description and a schema for each answer', () => {
    for (const [name, { parameters, responses }] of operations) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect(inPath.map((parameter) => `{${parameter.name}}`)).toEqual(name.match(/\{\w+\}/g) ?? []);
      expect(inPath.every(({ required }) => required)).toBe(true);
      for (const { schema } of parameters) expect([name, schema]).toEqual([name, expect.anything()]);
      for (const [status, { description, content }] of Object.entries(responses)) {
        const isText = status === '200' && /\/(locks\.csv|changes)$/.test(name);
        expect(description).not.toBe('');
        const schemas = Object.entries(content ?? {}).map(([type, { schema }]) => [type, schema]);
        const typed = [
          expect.stringMatching(isText ? /^text\// : /^application\/(problem\+)?json$/),
          expect.objectContaining({ type: isText ? 'string' : 'object' }),
        ];
        expect([name, status, schemas]).toEqual([name, status, status === '204' ? [] : [typed]]);
      }
    }
  });

  it('says in what an error comes: a problem, or the envelope of django-db-lock', () => {
    for (const [name, { responses }] of operations) {
      const errors = Object.entries(responses).filter(([status]) => Number(status) >= 400);
      const isUnavailable = !ANSWERS_EACH.test(name) && !NEEDS_NO_DATABASE.test(name);
      expect([name, errors.some(([status]) => status === '503')]).toEqual([name, isUnavailable]);
      const isEnvelope = /Locks?(Info)?$/.test(name);
      for (const [, { content }] of errors) {
        expect(Object.keys(content!)).toEqual([isEnvelope ? 'application/json' : 'application/problem+json']);
        const [{ schema }] = Object.values(content!) as [{ schema: { required: string[] } }];
        expect(schema.required).toEqual(
          isEnvelope ? ['success', 'error'] : ['type', 'title', 'status', 'detail', 'code'],
        );
      }
    }
  });

  it('says that a django-db-lock client may post a form or JSON', () => {
    for (const [name, { requestBody }] of operations)
      if (/^POST .*(acquireLock|releaseLock|getLockInfo)$/.test(name))
        expect(Object.keys(requestBody!.content)).toEqual([
          'application/json',
          'application/x-www-form-urlencoded',
        ]);
  });
});
