import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AWKWARD_NAMES } from '../support/lock-names.js';
import { PLATFORMS } from '../support/platforms.js';
import { AdminScene } from './scene.js';

const HOSTILE_NAMES = [
  ...AWKWARD_NAMES,
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '\u001b[2J\u0007\b',
  '\u202egnp.exe',
  'line\r\nSet-Cookie: a=b\r\n\r\n',
  '\u2028\u2029\u200b',
  "'; DROP TABLE dblock_lock; --",
  '${jndi:ldap://x}',
  '{{7*7}}',
  "=cmd|' /C calc'!A0",
  'locks.csv',
  'history',
  'force-release',
  'a/history',
  'a:b/force-release',
];

describe.each(PLATFORMS)('a lock with a hostile name, on %s', (platform) => {
  let scene: AdminScene;
  const metadata = { name: HOSTILE_NAMES.join('') };

  beforeAll(async () => {
    scene = await AdminScene.open({ platform });
    for (const lockName of HOSTILE_NAMES)
      await scene.held({ lockName, workerName: lockName, metadata, reason: `for ${lockName}` });
  });
  afterAll(() => scene.service.close());

  it('is listed as it is, with all others', async () => {
    const { items, total } = await scene.list({ pageSize: '200' });
    expect(total).toBe(HOSTILE_NAMES.length);
    expect(items.map(({ lockName }) => lockName).sort()).toEqual(HOSTILE_NAMES.toSorted());
    expect(items.every(({ lockName, workerName }) => lockName === workerName)).toBe(true);
    const { headers } = await scene.ask('GET', 'locks');
    expect(headers['content-type']).toMatch(/^application\/json\b/);
  });

  it('is in the CSV as it is, but for what would be a formula', async () => {
    const { text } = await scene.ask('GET', 'locks.csv');
    for (const name of HOSTILE_NAMES) {
      const escaped = /^[=+\-@\t\r]/.test(name) ? `'${name}` : name;
      expect(text).toContain(escaped.replaceAll('"', '""'));
    }
  });

  it.each(HOSTILE_NAMES.map((name, index) => [index, name]))(
    'can be looked at, searched, edited, freed and deleted (%#)',
    async (_, name) => {
      const lockName = String(name);
      const lock = await scene.inspect(lockName);
      expect(lock).toMatchObject({ lockName, workerName: lockName, state: 'held', metadata });
      expect(await scene.names({ search: lockName, pageSize: '200' })).toContain(lockName);
      expect(await scene.names({ prefix: lockName })).toContain(lockName);
      const { fencingToken } = lock;
      expect(await scene.edit(lockName, { fencingToken, metadata: null })).toMatchObject({ status: 200 });
      expect(await scene.forceRelease(lockName, { reason: lockName + '.', fencingToken })).toMatchObject({
        status: 200,
        json: { lockName, ended: { workerName: lockName, fencingToken } },
      });
      await scene.service.leaveIdle(lockName);
      expect((await scene.deleteReleased(lockName)).json).toEqual({ deleted: [lockName], kept: [] });
      const events = await scene.happened(lockName, 'created', 'edited', 'forced', 'deleted');
      expect(events.map(({ reason }) => reason)).toEqual([
        `for ${lockName}`.trim(),
        null,
        `${lockName}.`.trim(),
        null,
      ]);
    },
  );
});
