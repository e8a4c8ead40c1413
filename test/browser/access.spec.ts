import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AdminScene } from '../admin/scene.js';
import { describeWithBrowser, eventually } from '../support/browser.js';
import { KeyGuard, withKey } from '../support/key-guard.js';
import type { Platform } from '../support/lock-application.js';
import { PLATFORMS } from '../support/platforms.js';
import { openScene, Operator } from './operator.js';

type Access = 'view' | 'release' | 'edit' | null;

const KEY = { extraHTTPHeaders: withKey('key') };

describeWithBrowser('What an operator may do', (browser) => {
  let access: Access;
  let scene: AdminScene;
  let fencingToken: number;

  const open = async (platform: Platform) => {
    scene = await openScene(browser, {
      platform,
      features: [{ adminGuards: [new KeyGuard('key', { username: 'olga' })], resolveAccess: () => access }],
    });
    ({ fencingToken } = await scene.lease('job', { workerName: 'worker-1' }));
    await scene.released('job:free');
    await scene.service.leaveExpired('job:late');
  };

  const enter = async (level: Access) => {
    access = level;
    return Operator.arrive(browser, scene, KEY);
  };

  /** The status of what the page itself would ask for, were its buttons there. */
  const ask = ({ page }: Operator, method: string, path: string, body: object): Promise<number> =>
    page.evaluate<number>(`(async ({ method, path, body }) => {
      const headers = { 'content-type': 'application/json' };
      return (await fetch(new URL('api/' + path, document.baseURI), { method, headers, body })).status;
    })(${JSON.stringify({ method, path, body: JSON.stringify(body) })})`);

  /** A browser asks for credentials when the page is loaded, and sends them from then on. */
  const signsInWithThePage = async ({ page, address }: Operator): Promise<void> => {
    let isSignedIn = false;
    await page.route(`${address}**`, (route) => {
      isSignedIn ||= route.request().isNavigationRequest();
      const key = isSignedIn ? KEY.extraHTTPHeaders : {};
      return route.continue({ headers: { ...route.request().headers(), ...key } });
    });
  };

  const selectsByKeys = async (operator: Operator) => {
    for (const key of ['j', 'x']) await operator.page.keyboard.press(key);
    const selected = await operator.region('Selected locks').isVisible();
    if (selected) await operator.page.keyboard.press('x');
    return selected;
  };

  const buttons = async (operator: Operator) => {
    await operator.seesNames('job', 'job:free', 'job:late');
    const shown = {
      create: await operator.button('Hold a lock').isVisible(),
      select: (await operator.page.getByRole('checkbox').count()) > 0,
      row: await operator.button('Force release job').isVisible(),
      selection: await selectsByKeys(operator),
      keys: await operator.tellsOfKeys('Select the row', 'Hold a lock'),
    };
    await operator.button('More').click();
    await operator.page.getByRole('menuitem', { name: 'Read again' }).waitFor();
    const clear = await operator.page.getByRole('menuitem', { name: 'Clear expired' }).isVisible();
    await operator.moveToLock('job:free');
    await operator.seesFact('Released', /./);
    const remove = await operator.button('Delete').isVisible();
    await operator.moveToLock('job');
    await operator.seesFact('Holder', 'worker-1');
    const force = await operator.button('Force release').isVisible();
    const edit = await operator.button('Edit').isVisible();
    await operator.page.keyboard.press('n');
    await operator.openSettings();
    const create = await operator
      .sees(/^May /)
      .then(() => operator.page.getByRole('dialog', { name: 'Hold a lock' }));
    return { ...shown, clear, remove, force, edit, dialog: await create.isVisible() };
  };

  describe.each(PLATFORMS)('on %s', (platform) => {
    beforeEach(() => open(platform));

    it('is to look', async () => {
      const operator = await enter('view');
      expect(Object.values(await buttons(operator))).not.toContain(true);
      await operator.sees('May look, not change');
      operator.visit.expectFailures(403);
      expect(await ask(operator, 'POST', 'locks/job/force-release', { reason: 'mine' })).toBe(403);
      expect(
        await ask(operator, 'POST', 'force-release', { reason: 'mine', locks: [{ lockName: 'job' }] }),
      ).toBe(403);
      expect(await ask(operator, 'POST', 'locks', { lockName: 'new', ttl: '1m' })).toBe(403);
      expect(await ask(operator, 'PATCH', 'locks/job', { fencingToken, ttl: '1m' })).toBe(403);
      expect(await ask(operator, 'POST', 'delete-released', { lockNames: ['job:free'] })).toBe(403);
      expect(await ask(operator, 'POST', 'clear-expired', {})).toBe(403);
      expect((await scene.service.rows()).map(({ lock_name }) => lock_name)).toEqual([
        'job',
        'job:free',
        'job:late',
      ]);
    });

    it('is nothing: neither the page nor what it would ask', async () => {
      access = null;
      for (const [options, status] of [
        [KEY, 403],
        [{ extraHTTPHeaders: withKey('another') }, 403],
        [{}, 401],
      ] as const) {
        const visit = await browser.visit(options);
        const { page, context } = visit;
        // What is no page has no icon either.
        visit.expectFailures(status, 404);
        for (const path of ['', '/api/session', '/api/locks', '/api/locks.csv', '/api/changes']) {
          const response = await page.goto(`${scene.service.apiServer}/admin${path}`);
          expect([path, response!.status()]).toEqual([path, status]);
          expect(await response!.text()).not.toMatch(/worker-1|<script/);
        }
        const answer = await context.request.post(`${scene.service.apiServer}/admin/api/clear-expired`);
        expect(answer.status()).toBe(status);
      }
    });

    it('may end while they look: the page says so, keeps what it has read, and goes on when it may', async () => {
      const operator = await enter('edit');
      await operator.seesNames('job', 'job:free', 'job:late');
      operator.visit.expectFailures(401);
      await operator.visit.context.setExtraHTTPHeaders({});
      await operator.page.keyboard.press('r');
      await operator.sees('You are not signed in');
      await operator.sees('What you see is what was read before.');
      await operator.seesNames('job', 'job:free', 'job:late');
      await operator.button('Hold a lock').click();
      await operator.dialog.getByLabel('Lock').fill('new');
      await operator.button('Hold the lock', operator.dialog).click();
      await operator.sees('You are not signed in', operator.dialog);
      await operator.button('Cancel', operator.dialog).click();
      await operator.dialog.waitFor({ state: 'hidden' });
      await signsInWithThePage(operator);
      await operator.button('Sign in').click();
      const complaints = operator.page.getByText('You are not signed in');
      await eventually(async () => expect(await complaints.count()).toBe(0));
      await operator.seesNames('job', 'job:free', 'job:late');
    });
  });

  describe('in the page', () => {
    beforeEach(() => open('express'));

    it('is to free locks', async () => {
      const operator = await enter('release');
      expect(await buttons(operator)).toEqual({
        create: false,
        select: true,
        row: true,
        selection: true,
        keys: false,
        clear: false,
        remove: false,
        force: true,
        edit: false,
        dialog: false,
      });
      await operator.sees('May force release');
      operator.visit.expectFailures(403);
      expect(await ask(operator, 'PATCH', 'locks/job', { fencingToken, ttl: '1m' })).toBe(403);
      expect(await ask(operator, 'POST', 'locks', { lockName: 'new', ttl: '1m' })).toBe(403);
      await operator.page.keyboard.press('Escape');
      await operator.button('Force release').click();
      await operator.dialog.getByLabel('Reason').fill('it hangs');
      await operator.confirm('Force release');
      await operator.sees('job was taken from worker-1.');
    });

    it('is everything', async () => {
      const operator = await enter('edit');
      await operator.seesNames('job', 'job:free', 'job:late');
      expect(await operator.button('Hold a lock').isVisible()).toBe(true);
      await operator.moveToLock('job');
      await operator.button('Edit').waitFor();
      await operator.openSettings();
      await operator.sees('May change everything');
    });

    it('is asked for where the page comes without credentials', async () => {
      access = 'edit';
      for (const [status, title, action] of [
        [401, 'You are not signed in', 'Sign in'],
        [403, 'You may not see this', 'Try again'],
      ] as const) {
        const operator = new Operator(await browser.visit(KEY), `${scene.service.apiServer}/admin`);
        operator.visit.expectFailures(status);
        const problem = { type: 'about:blank', title: 'No', status, code: 'NO' };
        await operator.page.route('**/api/session', (route) =>
          route.fulfill({ status, contentType: 'application/problem+json', json: problem }),
        );
        await operator.goTo();
        await operator.sees(title);
        await operator.page.unroute('**/api/session');
        await operator.button(action).click();
        await operator.seesNames('job', 'job:free', 'job:late');
      }
    });
  });
});
