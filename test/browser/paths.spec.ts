import { beforeEach, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { AdminScene } from '../admin/scene.js';
import { describeWithBrowser, eventually } from '../support/browser.js';
import { millisecondsOf, openScene, Operator } from './operator.js';

const HOUR = 3_600_000;

/** Where an application may be, and how far the operator's clock is off. */
const HERE = { platform: 'express' as const, globalPrefix: undefined, clockOffset: 0 };
const FAR_AWAY = { platform: 'fastify' as const, globalPrefix: 'internal/v1', clockOffset: HOUR };

describeWithBrowser('An operator', (browser) => {
  let scene: AdminScene;

  describe.each([HERE, FAR_AWAY])(
    'on $platform with the prefix $globalPrefix and a clock that is $clockOffset ms off',
    ({ clockOffset, ...options }) => {
      beforeEach(async () => {
        scene = await openScene(browser, options);
      });

      it('finds a lock that hangs, sees who waits, and frees it with a reason', async () => {
        const stuck = await scene.lease('orders:42', { workerName: 'worker-1', ttl: '10m' });
        await scene.lease('orders:43', { workerName: 'worker-2' });
        await scene.released('invoices:7');
        const operator = await Operator.arrive(browser, scene, { clockOffset });
        await operator.seesNames('invoices:7', 'orders:42', 'orders:43');

        await operator.search.fill('ERS:42');
        await operator.seesNames('orders:42');
        const remaining = async () => millisecondsOf(await operator.cell('orders:42', 'Time remaining'));
        const shown = await remaining();
        const left = stuck.expireTime.getTime() - (await scene.now());
        expect(Math.abs(shown - left)).toBeLessThan(5000);
        await eventually(async () => expect(await remaining()).toBeLessThan(shown));

        await operator.link('orders:42').click();
        await operator.page.getByRole('heading', { level: 1, name: 'orders:42' }).waitFor();
        await operator.seesFact('Holder', 'worker-1');
        const queue = operator.region(/^Queue/);
        await operator.sees('Nobody waits.', queue);
        const waiter = scene.acquire('orders:42', { workerName: 'worker-3', wait: '2m' });
        await operator.sees('worker-3', queue);
        expect(await queue.getByRole('heading').innerText()).toMatch(/1$/);

        await operator.button('Force release').click();
        await operator.sees('The old holder may still be running', operator.dialog);
        await operator.sees('waits first and gets it at once.', operator.dialog);
        const submit = operator.button('Force release', operator.dialog);
        expect(await submit.isDisabled()).toBe(true);
        await operator.dialog.getByLabel('Reason').fill('   ');
        expect(await submit.isDisabled()).toBe(true);
        await operator.dialog.getByLabel('Reason').fill('worker-1 hangs');
        await operator.confirm('Force release');
        await operator.sees(
          /^worker-3$/,
          operator.page.getByRole('status').filter({ hasText: 'has it now' }),
        );

        const { outcome } = await waiter;
        expect(outcome).not.toBe('busy');
        await operator.seesFact('Holder', 'worker-3');
        await operator.sees('Nobody waits.', queue);
        await operator.seesHistory(
          { event: 'Acquired', worker: 'worker-3', why: expect.stringMatching(/^after .+ of waiting$/) },
          { event: 'Forced', worker: 'worker-1', why: 'worker-1 hangs by olga' },
          { event: 'Waited', worker: 'worker-3', why: 'behind worker-1' },
          { event: 'Acquired', worker: 'worker-1', why: '' },
        );
        const events = async () => (await operator.history()).map(({ event }) => event);
        await operator.choose('Without waits');
        await eventually(async () => expect(await events()).toEqual(['Acquired', 'Forced', 'Acquired']));
        await operator.choose('Operators’ acts');
        await eventually(async () => expect(await events()).toEqual(['Forced']));
      });
    },
  );

  describe('far away', () => {
    const { clockOffset, ...options } = FAR_AWAY;

    beforeEach(async () => {
      scene = await openScene(browser, options);
    });

    it('holds a lock by hand, edits it, frees it and deletes it', async () => {
      const operator = await Operator.arrive(browser, scene, { clockOffset });
      await operator.sees('No lock yet');
      await operator.button('Hold a lock').first().click();
      const { dialog } = operator;
      await operator.button('Hold the lock', dialog).click();
      await operator.sees('Give the lock’s name', dialog);
      await dialog.getByLabel('Lock').fill('deploy:freeze');
      await operator.button('1h', dialog).click();
      await dialog.getByLabel('Metadata').fill('{"ticket": "OPS-1"}');
      await dialog.getByLabel('Reason').fill('the disk is full');
      await operator.confirm('Hold the lock');
      await operator.sees('You hold deploy:freeze.');
      await operator.page.getByRole('heading', { level: 1, name: 'deploy:freeze' }).waitFor();
      await operator.seesFact('Holder', 'olga');
      await operator.sees(/"ticket": "OPS-1"/);

      const held = async () => {
        const [row] = await scene.service.rows();
        return { left: row!.expire_time.getTime() - (await scene.now()), metadata: row!.metadata };
      };
      const first = await held();
      expect(first.metadata).toEqual({ ticket: 'OPS-1' });
      expect(Math.abs(first.left - HOUR)).toBeLessThan(60_000);

      await operator.button('Edit').click();
      expect(await operator.button('Save the changes', dialog).isDisabled()).toBe(true);
      await dialog.getByLabel('New TTL').fill('forever');
      await operator.sees(/^Give a number with a unit/, dialog);
      await dialog.getByLabel('New TTL').fill('4h');
      await operator.sees(/\((2h 59m|3h) later\)$/, dialog);
      await dialog.getByLabel('Metadata').fill('{"ticket": "OPS-2"}');
      await operator.sees('will change: ticket', dialog);
      await operator.confirm('Save the changes');
      await operator.sees(/"ticket": "OPS-2"/);
      const extended = await held();
      expect(extended.metadata).toEqual({ ticket: 'OPS-2' });
      expect(Math.abs(extended.left - 4 * HOUR)).toBeLessThan(60_000);

      await operator.button('Edit').click();
      await dialog.getByLabel('New TTL').fill('10m');
      await operator.sees(/earlier/, dialog);
      await dialog.getByLabel('Reason').fill('sooner');
      await operator.confirm('Save the changes');
      await eventually(async () => expect((await held()).left).toBeLessThanOrEqual(600_000));
      await operator.seesFact('Time remaining', /^(10m|9m \d+s)$/);

      await operator.button('Force release').click();
      await dialog.getByLabel('Reason').fill('done');
      await operator.confirm('Force release');
      await operator.button('Delete').click();
      await operator.confirm(/^Delete \(1\)$/);
      await operator.sees(/^deploy:freeze was kept: .+ in the last minute/);
      await scene.service.leaveIdle('deploy:freeze');
      await operator.button('Delete').click();
      await operator.confirm(/^Delete \(1\)$/);
      await operator.sees('No lock yet');
      expect(await scene.service.rows()).toEqual([]);
      const events = await scene.happened(
        'deploy:freeze',
        'created',
        'edited',
        'edited',
        'forced',
        'deleted',
      );
      expect(events.map(({ actor }) => actor)).toEqual(Array(5).fill('olga'));
    });
  });

  describe('on one page', () => {
    beforeEach(async () => {
      scene = await openScene(browser);
    });

    it('frees a selection, clears what has expired, and deletes what is free', async () => {
      for (const name of ['job:1', 'job:2', 'job:3', 'job:4']) await scene.lease(name);
      await scene.service.leaveExpired('job:5');
      const operator = await Operator.arrive(browser, scene, { hash: '/lock/job%3A5' });
      await operator.sees('Free: whoever asks next gets it.');
      await operator.seesFact('Expired', /\d\d:\d\d:\d\d · /);
      expect(await operator.fact('Time remaining').count()).toBe(0);
      await operator.button('Clear expired').waitFor();
      await operator.button('Hold a lock').click();
      expect(await operator.dialog.getByLabel('Lock').inputValue()).toBe('job:5');
      await operator.button('Cancel', operator.dialog).click();
      await operator.goTo();
      for (const name of ['job:1', 'job:2', 'job:3'])
        await operator.page.getByRole('checkbox', { name: `Select ${name}` }).check();
      await operator.search.fill('job:1');
      await operator.sees('3 locks selected, 2 not shown');
      await operator.search.fill('');
      await operator.sees(/^3 locks selected$/);
      await operator.button('Force release (3)').click();
      const { dialog } = operator;
      await operator.sees('The old holders may still be running', dialog);
      expect(await dialog.getByRole('list').innerText()).toMatch(/job:1[^]*job:2[^]*job:3/);
      expect(await operator.button('Force release (3)', dialog).isDisabled()).toBe(true);
      await dialog.getByLabel('Reason').fill('a bad deployment');
      await operator.confirm('Force release (3)');
      await operator.sees('3 locks were force-released.');
      const states = async () =>
        (await scene.list()).items.map(({ lockName, state }) => `${lockName} ${state}`);
      expect(await states()).toEqual([
        'job:1 released',
        'job:2 released',
        'job:3 released',
        'job:4 held',
        'job:5 expired',
      ]);
      await eventually(async () => expect(await operator.cell('job:2', 'State')).toBe('Released'));
      expect(await operator.cell('job:5', 'State')).toBe('Expired');

      await operator.button('More').click();
      await operator.page.getByRole('menuitem', { name: 'Clear expired' }).click();
      await operator.confirm('Clear expired');
      await operator.sees('1 expired lease was cleared.');
      await eventually(async () => expect(await operator.cell('job:5', 'State')).toBe('Released'));

      await operator.page.getByRole('checkbox', { name: 'Select all on this page' }).check();
      await operator.sees('5 locks selected');
      for (const name of ['job:1', 'job:2', 'job:3', 'job:5']) await scene.service.leaveIdle(name);
      await operator.button('Delete released (4)').click();
      await operator.confirm(/^Delete \(4\)$/);
      await operator.sees('4 locks were deleted.');
      await operator.seesNames('job:4');
      expect(await states()).toEqual(['job:4 held']);
    });

    it('may hold a lock before anything was heard of the database', async () => {
      const operator = new Operator(await browser.visit(), `${scene.service.apiServer}/admin`);
      await operator.page.route(/\/api\/(locks|groups|counts|changes)\b/, (route) =>
        route.request().method() === 'GET' ? undefined : route.continue(),
      );
      await operator.goTo();
      await operator.isLetIn();
      await operator.page.keyboard.press('n');
      await operator.dialog.getByLabel('Lock').fill('job');
      await operator.button('1h', operator.dialog).click();
      await operator.button('Hold the lock', operator.dialog).click();
      await eventually(async () => expect(await scene.service.rows()).toHaveLength(1));
    });

    it('is told who holds the lock that they wanted to hold', async () => {
      await scene.lease('job', { workerName: 'worker-1' });
      const operator = await Operator.arrive(browser, scene);
      operator.visit.expectFailures(409);
      await operator.page.keyboard.press('n');
      await operator.dialog.getByLabel('Lock').fill('job');
      await operator.button('Hold the lock', operator.dialog).click();
      await operator.sees('Somebody holds this lock', operator.dialog);
      await operator.sees(/^worker-1$/, operator.dialog);
      await operator.page.keyboard.press('Escape');
      await operator.dialog.waitFor({ state: 'hidden' });
    });

    it('takes the rows that the filter shows as CSV', async () => {
      for (const name of ['orders:1', 'orders:2', 'invoices:1']) await scene.lease(name);
      await scene.released('orders:3');
      const operator = await Operator.arrive(browser, scene, { hash: '/?search=orders&state=held' });
      await operator.seesNames('orders:1', 'orders:2');
      const downloading = operator.page.waitForEvent('download');
      await operator.link('CSV').click();
      const download = await downloading;
      expect(download.suggestedFilename()).toBe('dblock-locks.csv');
      const csv = await readFile(await download.path(), 'utf8');
      const [header, ...lines] = csv.trim().split('\r\n');
      expect(header).toMatch(/^"lock_name","state",/);
      expect(lines.map((line) => line.split(',')[0])).toEqual(['"orders:1"', '"orders:2"']);
    });

    it('comes back to the same view by a link, and to the last one by the back button', async () => {
      await scene.service.query(
        `INSERT INTO dblock_lock (lock_name, token, lock_time, expire_time)
         SELECT 'job:' || lpad(place::text, 3, '0'), place, now(), now() FROM generate_series(1, 60) AS place`,
      );
      await scene.lease('other');
      const operator = await Operator.arrive(browser, scene);
      const { page } = operator;
      await operator.search.fill('job');
      await operator.sees('1–50 of 60 locks'); // the counts beside the filter have gone, which moves it
      await operator.choose(/^Released/);
      await operator.button('Token').click();
      await page.getByLabel('Rows').selectOption('25');
      await operator.choose('Group by prefix');
      await operator.button('Next page').click();
      const second = Array.from({ length: 25 }, (_, index) => `job:${String(35 - index).padStart(3, '0')}`);
      await operator.seesNames(...second);

      const isRestored = async (other: Operator) => {
        await other.seesNames(...second);
        await eventually(async () => {
          expect(await other.search.inputValue()).toBe('job');
          expect(await other.page.getByRole('radio', { name: /^Released/ }).isChecked()).toBe(true);
          expect(await other.page.getByRole('switch', { name: 'Group by prefix' }).isChecked()).toBe(true);
          expect(await other.page.getByLabel('Rows').inputValue()).toBe('25');
        });
        await other.sees('Page 2 of 3');
        const head = other.page.getByRole('columnheader', { name: 'Token' });
        expect(await head.getAttribute('aria-sort')).toBe('descending');
        await other.sees('26–50 of 60 locks');
        await other.link('job:').waitFor();
      };
      await isRestored(operator);
      await isRestored(await Operator.arrive(browser, scene, { hash: new URL(page.url()).hash.slice(1) }));

      await page.getByRole('checkbox', { name: 'Select job:020' }).check();
      await page.evaluate('window.scrollTo(0, 200)');
      await operator.link('job:020').click();
      await page.getByRole('heading', { level: 1, name: 'job:020' }).waitFor();
      expect(await page.evaluate('window.scrollY')).toBe(0);
      await page.goBack();
      await isRestored(operator);
      expect(await page.evaluate('window.scrollY')).toBe(200);
      expect(await operator.focused()).toBe('job:020');
      await operator.sees('1 lock selected');
      await operator.button('Clear selection').click();
      await page.goBack();
      await operator.sees('Page 1 of 3');
      await page.goForward();
      await isRestored(operator);
      await operator.link('job:').click();
      await eventually(() => expect(new URL(page.url()).hash).toMatch(/prefix=job%3A/));
      await operator.sees('No name has a further colon to group by.');
    });

    it('needs no mouse', async () => {
      for (const name of ['job:1', 'job:2', 'job:3']) await scene.lease(name);
      const operator = await Operator.arrive(browser, scene);
      const { keyboard } = operator.page;
      await operator.seesNames('job:1', 'job:2', 'job:3');
      await keyboard.press('/');
      await keyboard.type('job:j');
      await operator.sees('No lock matches');
      await keyboard.press('Escape');
      await operator.seesNames('job:1', 'job:2', 'job:3');
      await keyboard.press('Escape');

      await keyboard.press('j');
      expect(await operator.focused()).toBe('job:1');
      await keyboard.press('j');
      await keyboard.press('j');
      await keyboard.press('k');
      expect(await operator.focused()).toBe('job:2');
      await keyboard.press('x');
      await operator.sees('1 lock selected');
      expect(await operator.page.getByRole('checkbox', { name: 'Select job:2' }).isChecked()).toBe(true);
      await keyboard.press('x');
      await operator.region('Selected locks').waitFor({ state: 'hidden' });
      await keyboard.press('Enter');
      await operator.page.getByRole('heading', { level: 1, name: 'job:2' }).waitFor();
      expect(await operator.focused()).toBe('job:2');

      const { dialog } = operator;
      await operator.button('Edit').focus();
      await keyboard.press('Enter');
      await eventually(async () =>
        expect(await dialog.getByLabel('New TTL').evaluate((field) => field.matches(':focus'))).toBe(true),
      );
      await keyboard.press('Escape');
      await eventually(async () => expect(await operator.focused()).toBe('Edit'));
      await operator.button('Force release').focus();
      await keyboard.press('Enter');
      await operator.sees('Nobody waits; it stays free.', dialog);
      await keyboard.type('done');
      await operator.button('Force release', dialog).press('Enter');
      await operator.sees('It is free now.');
      // The button is gone.
      await operator.button('Delete').waitFor();
      await eventually(async () => expect(await operator.focused()).toBe('job:2'));

      await keyboard.press('Shift+?');
      await operator.sees('Keyboard shortcuts', operator.dialog);
      await keyboard.press('n');
      await keyboard.press('Escape');
      // While the one fades, the other opens.
      await keyboard.press('n');
      await operator.sees('Hold a lock', operator.dialog);
      await keyboard.type('job:n/?');
      await keyboard.press('Enter');
      await operator.page.getByRole('heading', { level: 1, name: 'job:n/?' }).waitFor();
      await operator.dialog.waitFor({ state: 'hidden' });

      await keyboard.press('g');
      await keyboard.press('o');
      await operator.page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
      await keyboard.press('g');
      await keyboard.press('l');
      await operator.seesNames('job:1', 'job:2', 'job:3', 'job:n/?');
    });

    it('sees how much of a lease is left since its last renewal, and how long it is held', async () => {
      const { lockName, grantId } = await scene.lease('job', { ttl: '1m' });
      await scene.service.query("UPDATE dblock_lock SET lock_time = lock_time - interval '50 min'");
      const operator = await Operator.arrive(browser, scene, { hash: '/lock/job' });
      await operator.seesFact('Held for', /^50m/);
      const share = async () => {
        const style = await operator.page.locator('dd svg rect + rect').getAttribute('style');
        return Number(/scaleX\((.+?)\)/.exec(style!)![1]);
      };
      expect(await share()).toBeGreaterThan(0.85);
      await scene.service.locks.renew({ lockName, grantId, ttl: '50m' });
      await operator.page.keyboard.press('r');
      await operator.seesFact('Time remaining', /^(50|49)m/);
      expect(await share()).toBeGreaterThan(0.85);
      expect(await operator.page.locator('dd [data-low]').count()).toBe(0);
    });

    it('sees the first of a crowd, and the others when asked', async () => {
      await scene.lease('job');
      for (let waiter = 1; waiter <= 12; waiter++) {
        void scene.acquire('job', { workerName: `worker-${waiter}`, wait: '1h' }).catch(() => {});
        await scene.waitedFor('job', waiter);
      }
      const operator = await Operator.arrive(browser, scene, { hash: '/lock/job' });
      const waiters = operator.region(/^Queue/).getByRole('listitem');
      await waiters.first().waitFor();
      expect(await waiters.count()).toBe(10);
      await operator.button('Show all (12)').click();
      expect(await waiters.count()).toBe(12);
    });

    it('is told that nobody is signed in', async () => {
      const open = await openScene(browser, { features: [{ resolveActor: () => null }] });
      const operator = await Operator.arrive(browser, open);
      await operator.openSettings();
      await operator.sees('Nobody is signed in');
    });

    it('reads it in another language, which the browser remembers', async () => {
      await scene.lease('job');
      const operator = await Operator.arrive(browser, scene);
      const { page } = operator;
      await page.getByRole('heading', { level: 1, name: 'Locks' }).waitFor();
      await operator.openSettings();
      await page.getByLabel('Language').selectOption('简体中文');
      await page.getByRole('heading', { level: 1, name: '锁' }).waitFor();
      await page.reload();
      await page.getByRole('heading', { level: 1, name: '锁' }).waitFor();
      expect(await page.locator('html').getAttribute('lang')).toBe('zh-Hans');
      await operator.openSettings();
      await page.getByLabel('语言').selectOption('English');
      await page.getByRole('heading', { level: 1, name: 'Locks' }).waitFor();
      expect(await page.locator('html').getAttribute('lang')).toBe('en');

      const other = await Operator.arrive(browser, scene, { locale: 'zh-CN' });
      await other.page.getByRole('heading', { level: 1, name: '锁' }).waitFor();
    });

    it('sees it as dark or light as the system is, or as they choose', async () => {
      await scene.lease('job');
      const operator = await Operator.arrive(browser, scene, { colorScheme: 'dark' });
      const { page } = operator;
      const brightness = async () => {
        const color = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
        const channels = color
          .match(/[\d.]+/g)!
          .slice(0, 3)
          .map(Number);
        return channels.reduce((sum, channel) => sum + channel / 765, 0);
      };
      const isDark = () => eventually(async () => expect(await brightness()).toBeLessThan(0.25));
      const isLight = () => eventually(async () => expect(await brightness()).toBeGreaterThan(0.9));
      await operator.seesNames('job');
      await isDark();
      await page.emulateMedia({ colorScheme: 'light' });
      await isLight();
      await operator.openSettings();
      await operator.choose('Dark');
      await isDark();
      await page.reload();
      await operator.seesNames('job');
      await isDark();
    });
  });
});
