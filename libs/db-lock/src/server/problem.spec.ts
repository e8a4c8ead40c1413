import { describe, expect, it } from '@jest/globals';
import { HttpException, UnauthorizedException } from '@nestjs/common';
import { problemOf, withCode } from './problem.js';

/** An error as a body parser or an SDK throws it. */
const thrown = (message: string, properties: object) => Object.assign(new Error(message), properties);

describe('the problem that an error of others is', () => {
  it.each([
    [
      'a body parser of Express',
      thrown('request entity too large', { statusCode: 413, expose: true }),
      'body is too large',
    ],
    [
      'a body parser of Fastify',
      thrown('Body cannot be empty', { statusCode: 400, code: 'FST_ERR_CTP_EMPTY_JSON_BODY' }),
      'body is not readable as JSON',
    ],
    [
      'Nest, for unreadable JSON',
      new HttpException('Unexpected token } in JSON at position 3', 400),
      'body is not readable as JSON',
    ],
  ])('names the rule that a body breaks: %s', (_, error, detail) => {
    expect(problemOf(error).body).toMatchObject({ status: 400, code: 'INVALID_REQUEST', detail });
  });

  it('keeps the status of what is not about the body', () => {
    const { body } = problemOf(new UnauthorizedException('The JSON web token is too old.'));
    expect(body).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
  });

  it('tells callers nothing that is not meant for them', () => {
    const { body } = problemOf(thrown('bucket 17 is private', { statusCode: 403 }));
    expect(body).toMatchObject({ status: 500, code: 'INTERNAL_ERROR' });
    expect(JSON.stringify(body)).not.toContain('bucket');
  });

  it('has a code of ours where one was given', () => {
    expect(problemOf(withCode(new HttpException('no', 403), 'CROSS_SITE')).body.code).toBe('CROSS_SITE');
  });
});
