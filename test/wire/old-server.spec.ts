import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidLockRequestError } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { HttpTransport } from '../../libs/db-lock/src/client/http-transport.js';
import { UnexpectedAnswerError } from '../../libs/db-lock/src/lease/errors.js';
import { FakeServer, json, text, type Received, type Reply } from '../support/fake-server.js';

const TOO_OLD =
  'The lock server is too old for leases in shared mode: bring it up to date, or take the lock exclusively.';
const WRONG_MODE =
  /^The lock server has granted a lease of another mode than was asked for, which was given back/;

const SHARE = { permits: 2, limit: 5 };

const attempt = (lockName: string, fields: object = {}) => ({
  lockName,
  workerName: 'ann',
  grantId: randomUUID(),
  ttl: 60_000,
  wait: 0,
  metadata: null,
  ...fields,
});

const setOf = (lockNames: string[], shares: ReadonlyMap<string, typeof SHARE>) => {
  const { lockName: _, ...common } = attempt('');
  return { ...common, lockNames, shares };
};

/** A lease as a server grants it that knows no modes. */
function leaseOf(lockName: string, { grantId }: { grantId?: string }) {
  const now = Date.now();
  return {
    lockName,
    workerName: 'ann',
    grantId,
    fencingToken: 7,
    lockTime: new Date(now).toISOString(),
    expireTime: new Date(now + 60_000).toISOString(),
    serverTime: new Date(now).toISOString(),
    metadata: null,
  };
}

const refusal = (...issues: Array<[field: string, rule: string]>) => ({
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  detail: 'A rule is broken.',
  code: 'INVALID_REQUEST',
  issues: issues.map(([field, rule]) => ({ field, rule })),
});

type Body = Record<string, unknown> & { requests?: Body[]; grantId?: string; lockName?: string };
const bodyOf = ({ text: body }: Received) => JSON.parse(body) as Body;

/** A server from before there were modes: it calls each field unknown that it doesn't know. */
const KNOWN = new Set([
  'action',
  'lockName',
  'lockNames',
  'workerName',
  'grantId',
  'ttl',
  'wait',
  'metadata',
]);
const unknownIn = (body: Body) =>
  Object.keys(body)
    .filter((field) => !KNOWN.has(field))
    .map((field): [string, string] => [field, 'is not a known field']);

describe('our client of a server that knows no modes', () => {
  let server: FakeServer;
  let transport: HttpTransport;

  beforeEach(async () => {
    server = await FakeServer.open(({ method, path }) => `${method} ${path.split('/').at(-1)}`);
    transport = new HttpTransport({ apiServer: `${server.url}/dblock`, requestTimeout: 10_000 });
  });
  afterEach(async () => {
    await transport.close();
    await server.close();
  });

  /** What was given back, as `name grantId`. */
  const released = () =>
    server.received.flatMap((request) => {
      if (request.method === 'DELETE') {
        const [, lockName, grantId] = /locks\/([^/]+)\/lease\/(.+)$/.exec(request.path)!;
        return [`${lockName} ${grantId}`];
      }
      const requests = request.path.endsWith('/leases') ? bodyOf(request).requests! : [];
      return requests
        .filter(({ action }) => action === 'release')
        .map(({ lockName, grantId }) => `${lockName} ${grantId}`);
    });

  describe('and says so', () => {
    beforeEach(() => {
      const strict: Reply = (response, request) => {
        const unknown = unknownIn(bodyOf(request));
        const [, lockName] = /locks\/([^/]+)\/lease$/.exec(request.path)!;
        const lease = leaseOf(lockName!, bodyOf(request));
        const reply = unknown.length > 0 ? json(400, refusal(...unknown)) : json(201, lease);
        reply(response, request);
      };
      server.reply('POST lease', strict);
      server.reply('POST lease-sets', (response, request) => {
        const { lockNames } = bodyOf(request) as unknown as { lockNames: unknown[] };
        const bad = lockNames.flatMap((name, index): Array<[string, string]> =>
          typeof name === 'string' ? [] : [[`lockNames.${index}`, 'must be a string of 1 to 255 characters']],
        );
        json(400, refusal(...bad, ...unknownIn(bodyOf(request))))(response, request);
      });
      server.reply(FakeServer.BULK, (response, request) => {
        const answers = bodyOf(request).requests!.map((item) => {
          const unknown = unknownIn(item);
          return unknown.length > 0
            ? { status: 400, problem: refusal(...unknown) }
            : { status: 201, lease: leaseOf(item.lockName!, item) };
        });
        json(200, { answers })(response, request);
      });
      server.reply('POST downgrade', json(404, { message: 'Cannot POST', statusCode: 404 }));
    });

    it.each([0, 60_000])('tells who asks for a share, with a wait of %i ms', async (wait) => {
      const asking = transport.acquire(attempt('job', { wait, share: SHARE }));
      await expect(asking).rejects.toThrow(new UnexpectedAnswerError(TOO_OLD));
      expect(server.received).toHaveLength(1);
      expect(bodyOf(server.received[0]!)).toMatchObject({ mode: 'shared', permits: 2, limit: 5 });
    });

    it('tells those of many who ask for a share, and serves the others', async () => {
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      const results = await Promise.allSettled(
        names.map((name, index) => transport.acquire(attempt(name, index % 2 ? { share: SHARE } : {}))),
      );
      expect(server.received.some(({ path }) => path.endsWith('/leases'))).toBe(true);
      for (const [index, result] of results.entries())
        expect(result).toMatchObject(
          index % 2
            ? { reason: new UnexpectedAnswerError(TOO_OLD) }
            : { value: { outcome: 'granted', lease: { fencingToken: 7 } } },
        );
      expect(released()).toEqual([]);
    });

    it('tells who asks for a set with a share', async () => {
      const asking = transport.acquireSet(setOf(['a', 'b'], new Map([['b', SHARE]])));
      await expect(asking).rejects.toThrow(new UnexpectedAnswerError(TOO_OLD));
      expect(bodyOf(server.received[0]!)['lockNames']).toEqual([
        'a',
        { lockName: 'b', mode: 'shared', permits: 2, limit: 5 },
      ]);
    });

    it('takes no other complaint for that of an old server', async () => {
      const issue: [string, string] = ['lockNames.0', 'must be a string of 1 to 255 characters'];
      server.reply('POST lease-sets', json(400, refusal(issue)));
      const asking = transport.acquireSet(setOf(['a', 'b'], new Map([['b', SHARE]])));
      await expect(asking).rejects.toBeInstanceOf(InvalidLockRequestError);
      server.reply('POST lease', json(400, refusal(['permits', 'must be at most the limit'])));
      await expect(transport.acquire(attempt('job', { share: SHARE }))).rejects.toBeInstanceOf(
        InvalidLockRequestError,
      );
    });

    it.each([404, 405])('tells who asks for a downgrade, by a %i', async (status) => {
      server.reply('POST downgrade', text(status, 'Cannot POST'));
      const { lockName, grantId } = attempt('job');
      const asking = transport.downgrade({ lockName, grantId, share: SHARE });
      await expect(asking).rejects.toThrow(new UnexpectedAnswerError(TOO_OLD));
    });
  });

  describe('and overlooks them', () => {
    beforeEach(() => {
      server.reply('POST lease', (response, request) => {
        const [, lockName] = /locks\/([^/]+)\/lease$/.exec(request.path)!;
        json(201, leaseOf(lockName!, bodyOf(request)))(response, request);
      });
      server.reply('POST lease-sets', (response, request) => {
        const body = bodyOf(request);
        const names = (body['lockNames'] as Array<string | { lockName: string }>).map((lock) =>
          typeof lock === 'string' ? lock : lock.lockName,
        );
        json(201, { leases: names.map((name) => leaseOf(name, body)) })(response, request);
      });
      server.reply(FakeServer.BULK, (response, request) => {
        const answers = bodyOf(request).requests!.map((item) =>
          item['action'] === 'release'
            ? { status: 204 }
            : { status: 201, lease: leaseOf(item.lockName!, item) },
        );
        json(200, { answers })(response, request);
      });
    });

    /** Whatever is asked to be released by itself is. */
    const releasing = (grantId: string) => server.reply(`DELETE ${grantId}`, text(204, ''));

    it.each([0, 60_000])('gives the lease back that is exclusive, with a wait of %i ms', async (wait) => {
      const request = attempt('job', { wait, share: SHARE });
      releasing(request.grantId);
      await expect(transport.acquire(request)).rejects.toThrow(WRONG_MODE);
      expect(released()).toEqual([`job ${request.grantId}`]);
    });

    it('says so even where the lease can not be given back', async () => {
      const request = attempt('job', { share: SHARE });
      server.reply(`DELETE ${request.grantId}`, text(503, ''));
      await expect(transport.acquire(request)).rejects.toThrow(WRONG_MODE);
    });

    it('gives those of many back that were to be shared, and keeps the others', async () => {
      const requests = ['a', 'b', 'c', 'd'].map((name, index) =>
        attempt(name, index % 2 ? { share: SHARE } : {}),
      );
      for (const { grantId } of requests) releasing(grantId);
      const results = await Promise.allSettled(requests.map((request) => transport.acquire(request)));
      for (const [index, result] of results.entries())
        expect(result).toMatchObject(
          index % 2
            ? { reason: { message: expect.stringMatching(WRONG_MODE) } }
            : { value: { outcome: 'granted' } },
        );
      const shared = requests.filter((_, index) => index % 2);
      expect(released().sort()).toEqual(shared.map(({ lockName, grantId }) => `${lockName} ${grantId}`));
    });

    it('gives all of a set back', async () => {
      const set = setOf(['a', 'b'], new Map([['b', SHARE]]));
      releasing(set.grantId);
      await expect(transport.acquireSet(set)).rejects.toThrow(WRONG_MODE);
      expect(released().sort()).toEqual([`a ${set.grantId}`, `b ${set.grantId}`]);
    });

    it('gives a lease back that is shared where it was to be exclusive', async () => {
      const request = attempt('job');
      releasing(request.grantId);
      server.reply(
        'POST lease',
        json(201, { ...leaseOf('job', request), mode: 'shared', permits: 1, limit: null }),
      );
      await expect(transport.acquire(request)).rejects.toThrow(WRONG_MODE);
      expect(released()).toEqual([`job ${request.grantId}`]);
    });
  });
});
