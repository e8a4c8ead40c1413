import { beforeEach, expect, it } from '@jest/globals';
import type { DbLockModuleOptions } from 'nestjs-db-lock';
import type { Locator } from 'playwright-core';
import { AdminScene } from '../admin/scene.js';
import { describeWithBrowser, eventually, type TestBrowser } from '../support/browser.js';
import { Operator } from './operator.js';

/** An application whose locks can be shared, for the time of a test. */
async function openScene(browser: TestBrowser, feature?: DbLockModuleOptions): Promise<AdminScene> {
  const scene = await AdminScene.inMemory(feature);
  browser.closeLater(scene.service);
  return scene;
}

describeWithBrowser('An operator before locks that are shared', (browser) => {
  let scene: AdminScene;

  beforeEach(async () => {
    scene = await openScene(browser);
  });

  const reader = (lockName: string, workerName: string) =>
    scene.lease(lockName, { workerName, mode: 'shared' });
  const slot = (lockName: string, workerName: string, limit: number, permits = 1) =>
    scene.lease(lockName, { workerName, limit, permits });
  const waits = (lockName: string, workerName: string, fields: object = {}) =>
    void scene.acquire(lockName, { workerName, wait: '1h', ...fields }).catch(() => {});
  const holdersOf = async (lockName: string) =>
    (await scene.inspect(lockName)).holders.map(({ workerName }) => workerName);

  /** The row of a holder. */
  const holder = (operator: Operator, workerName: string): Locator =>
    operator
      .region(/^Holders/)
      .getByRole('row')
      .filter({ hasText: workerName });
  const seesHolders = (operator: Operator, ...workers: string[]) =>
    eventually(async () =>
      expect(
        (
          await operator
            .region(/^Holders/)
            .getByRole('rowheader')
            .allInnerTexts()
        ).map((text) => text.trim()),
      ).toEqual(workers),
    );

  it('sees in the list how many share a lock, and how many permits they take', async () => {
    await slot('semaphore', 'one', 5, 3);
    await slot('semaphore', 'two', 8);
    await slot('slot', 'three', 5);
    for (const worker of ['a', 'b', 'c']) await reader('readers', worker);
    await reader('reader', 'four');
    await scene.lease('writer', { workerName: 'five' });
    const operator = await Operator.arrive(browser, scene);
    await operator.seesNames('reader', 'readers', 'semaphore', 'slot', 'writer');
    const held = async (name: string) => (await operator.cell(name, 'Worker')).replaceAll(/\s+/g, ' ').trim();
    expect(await held('readers')).toBe('3 holders');
    expect(await held('semaphore')).toBe('2 holders 4 of 5–8 permits');
    expect(await held('slot')).toBe('three 1 of 5 permits');
    expect(await held('reader')).toBe('four shared');
    expect(await held('writer')).toBe('five');
    await reader('reader', 'six');
    await eventually(async () => expect(await held('reader')).toBe('2 holders'));
  });

  it('sees who shares a lock, who waits for it and how, and what has happened', async () => {
    const { grantId } = await scene.lease('relay', { workerName: 'one' });
    await scene.service.locks.downgrade({ lockName: 'relay', grantId, limit: 5, permits: 2 });
    await scene.lease('relay', { workerName: 'two', limit: 5, permits: 3, metadata: { batch: 7 } });
    waits('relay', 'three', { limit: 5, permits: 2 });
    await scene.waitedFor('relay', 1);
    waits('relay', 'four');
    await scene.waitedFor('relay', 2);
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    await seesHolders(operator, 'one', 'two');
    await operator.sees('5 of 5 permits', operator.region(/^Holders/));
    await operator.seesFact('Mode', 'Shared');
    await operator.seesFact('Holders', '2');
    await operator.seesFact('Permits', '5 of 5');
    const cells = await holder(operator, 'one').getByRole('cell').allInnerTexts();
    expect(cells.map((text) => text.trim())).toEqual([
      expect.stringMatching(/ago$|^now$/),
      expect.stringMatching(/^(59|60)m/),
      '2 of 5',
      String((await scene.inspect('relay')).holders[0]!.fencingToken),
      '–',
      '',
    ]);
    const waiters = await operator
      .region(/^Queue/)
      .getByRole('listitem')
      .allInnerTexts();
    expect(waiters.map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
      expect.stringMatching(/^1 three shared, 2 of 5 permits/),
      expect.stringMatching(/^2 four exclusive/),
    ]);
    await operator.seesHistory(
      { event: 'Waited', worker: 'four', why: 'behind two' },
      { event: 'Waited', worker: 'three', why: 'shared, 2 of 5 permits · behind two' },
      { event: 'Acquired', worker: 'two', why: 'shared, 3 of 5 permits' },
      { event: 'Downgraded', worker: 'one', why: 'shared, 2 of 5 permits' },
      { event: 'Acquired', worker: 'one', why: '' },
    );
    const metadata = operator.button('Metadata of two');
    expect(await metadata.getAttribute('aria-expanded')).toBe('false');
    await metadata.click();
    await operator.sees(/"batch": 7/);
    await metadata.click();
    await operator.page.getByText(/"batch": 7/).waitFor({ state: 'hidden' });
  });

  it('tells how a lock is held that nobody shares, too', async () => {
    await scene.lease('job', { workerName: 'one' });
    waits('job', 'two');
    await scene.waitedFor('job');
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/job' });
    await operator.seesFact('Mode', 'Exclusive');
    expect(await operator.region(/^Holders/).count()).toBe(0);
    expect(
      await operator
        .region(/^Queue/)
        .getByRole('listitem')
        .innerText(),
    ).not.toContain('exclusive');
  });

  it('ends the lease of one, and the others keep the lock', async () => {
    const [one, two] = [await reader('relay', 'one'), await reader('relay', 'two')];
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    await operator.button('Force release the lease of one').click();
    const { dialog } = operator;
    await operator.fact('Worker', dialog).filter({ hasText: 'one' }).waitFor();
    await operator
      .fact('Token', dialog)
      .filter({ hasText: String(one.fencingToken) })
      .waitFor();
    await operator.sees('Nobody waits; 1 other holder keeps it.', dialog);
    await operator.sees('The old holder may still be running', dialog);
    await dialog.getByLabel('Reason').fill('one hangs');
    await operator.confirm('Force release');
    await operator.sees('relay was taken from one. 1 worker has it now.');
    await seesHolders(operator, 'two');
    expect(await holdersOf('relay')).toEqual(['two']);
    await operator.seesHistory(
      { event: 'Forced', worker: 'one', why: 'one hangs by olga · shared' },
      { event: 'Acquired', worker: 'two' },
      { event: 'Acquired', worker: 'one' },
    );
    expect(await scene.release(two)).toEqual({ outcome: 'released' });
  });

  it('frees a lock of all who share it, and the one who waits gets it', async () => {
    for (const worker of ['one', 'two', 'three']) await slot('relay', worker, 3);
    waits('relay', 'writer');
    await scene.waitedFor('relay');
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    await operator.button('Force release all').click();
    const { dialog } = operator;
    await operator.sees('Force release 3 leases', dialog);
    await operator.sees('The old holders may still be running', dialog);
    await operator.sees('waits first and gets it at once.', dialog);
    const doomed = await dialog.getByRole('list', { name: 'Leases to be ended' }).innerText();
    expect(doomed).toMatch(/one[^]*two[^]*three/);
    await dialog.getByLabel('Reason').fill('the relay is being moved');
    await operator.confirm('Force release (3)');
    await operator.sees(/^relay was taken from 3 workers\./, operator.page.locator('[role=status]'));
    await operator.seesFact('Holder', 'writer');
    await operator.seesFact('Mode', 'Exclusive');
    expect(await holdersOf('relay')).toEqual(['writer']);
  });

  it('frees a selection, some of which are shared', async () => {
    for (const worker of ['one', 'two']) await reader('relay', worker);
    await scene.lease('job', { workerName: 'three' });
    const operator = await Operator.arrive(browser, scene);
    for (const name of ['relay', 'job'])
      await operator.page.getByRole('checkbox', { name: `Select ${name}` }).check();
    await operator.button('Force release (2)').click();
    const { dialog } = operator;
    const doomed = await dialog.getByRole('list').innerText();
    expect(doomed.replaceAll(/\s+/g, ' ')).toMatch(/relay 2 holders · .*job three · /);
    await dialog.getByLabel('Reason').fill('a bad deployment');
    await operator.confirm('Force release (2)');
    await operator.sees('2 locks were force-released, of 3 holders.');
    await eventually(async () => expect(await operator.cell('relay', 'State')).toBe('Released'));
    expect([await holdersOf('relay'), await holdersOf('job')]).toEqual([[], []]);
  });

  it('is told of a selection what has changed: who shared a lock has it alone by now', async () => {
    const readers = [await reader('relay', 'one'), await reader('relay', 'two')];
    const job = await scene.lease('job', { workerName: 'three' });
    const operator = await Operator.arrive(browser, scene);
    for (const name of ['relay', 'job'])
      await operator.page.getByRole('checkbox', { name: `Select ${name}` }).check();
    await operator.button('Force release (2)').click();
    const { dialog } = operator;
    await dialog.getByLabel('Reason').fill('a bad deployment');
    for (const lease of [...readers, job]) await scene.release(lease);
    await scene.lease('relay', { workerName: 'writer' });
    for (const worker of ['four', 'five']) await reader('job', worker);
    await operator.button('Force release (2)', dialog).click();
    const outcomes = dialog.getByRole('list', { name: 'What became of them' });
    await operator.sees('now shared by 2 workers', outcomes);
    await operator.sees(/^now held by/, outcomes);
    expect([await holdersOf('relay'), await holdersOf('job')]).toEqual([['writer'], ['four', 'five']]);
    await operator.button('Decide anew (2)', dialog).click();
    await operator.confirm('Force release (2)');
    await operator.sees('2 locks were force-released, of 3 holders.');
    expect([await holdersOf('relay'), await holdersOf('job')]).toEqual([[], []]);
  });

  it('edits the lease of one', async () => {
    const one = await scene.lease('relay', { workerName: 'one', mode: 'shared', metadata: { batch: 1 } });
    const two = await reader('relay', 'two');
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    await operator.button('Edit the lease of one').click();
    const { dialog } = operator;
    await operator.fact('Worker', dialog).filter({ hasText: 'one' }).waitFor();
    await dialog.getByLabel('New TTL').fill('4h');
    await operator.sees(/\((2h 59m|3h) later\)$/, dialog);
    await dialog.getByLabel('Metadata').fill('{"batch": 2}');
    await operator.sees('will change: batch', dialog);
    await operator.confirm('Save the changes');
    await operator.sees('relay was edited.');
    const { holders } = await scene.inspect('relay');
    expect(holders).toMatchObject([
      { workerName: 'one', fencingToken: one.fencingToken, metadata: { batch: 2 } },
      { workerName: 'two', expireTime: two.expireTime.toISOString(), metadata: null },
    ]);
    expect(Date.parse(holders[0]!.expireTime) - Date.parse(holders[1]!.expireTime)).toBeGreaterThan(
      10_000_000,
    );
    await holder(operator, 'one')
      .getByText(/^(4h|3h 59m)/)
      .waitFor();
  });

  it('is told when the lease of one is over that they would end or edit', async () => {
    const [one] = [await reader('relay', 'one'), await reader('relay', 'two')];
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    const { dialog } = operator;
    operator.visit.expectFailures(409);
    await operator.button('Force release the lease of one').click();
    await dialog.getByLabel('Reason').fill('one hangs');
    await scene.release(one);
    await operator.button('Force release', dialog).click();
    const notice = dialog.getByRole('alert');
    await notice.waitFor();
    const over = new RegExp(
      `The lease of\\s+one\\s+\\(token ${one.fencingToken}\\) is over\\. Nothing was done, and nothing is left to do\\.`,
    );
    expect(await notice.innerText()).toMatch(over);
    expect(await operator.button('Force release', dialog).isDisabled()).toBe(true);
    await operator.button('Cancel', dialog).click();
    await seesHolders(operator, 'two');

    await operator.button('Edit the lease of two').click();
    await dialog.getByLabel('New TTL').fill('4h');
    await scene.forceRelease('relay');
    await reader('relay', 'three');
    await operator.button('Save the changes', dialog).click();
    await notice.waitFor();
    expect(await notice.innerText()).toMatch(/The lease of\s+two\s+\(token \d+\) is over\./);
    expect(await operator.button('Save the changes', dialog).isDisabled()).toBe(true);
    expect(await holdersOf('relay')).toEqual(['three']);
  });

  it('decides anew when a lock is held in another mode than they saw', async () => {
    const readers = [await reader('relay', 'one'), await reader('relay', 'two')];
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    const { dialog } = operator;
    operator.visit.expectFailures(409);
    await operator.button('Force release all').click();
    await dialog.getByLabel('Reason').fill('the readers hang');
    for (const lease of readers) await scene.release(lease);
    const writer = await scene.lease('relay', { workerName: 'writer' });
    await operator.button(/^Force release/, dialog).click();
    const notice = dialog.getByRole('alert');
    await notice.waitFor();
    expect(await notice.innerText()).toMatch(
      /writer\s+holds it alone now, .*You saw it shared\. Nothing was done/,
    );
    expect(await holdersOf('relay')).toEqual(['writer']);

    await scene.release(writer);
    for (const worker of ['three', 'four']) await reader('relay', worker);
    await operator.button('Force release the new lease', dialog).click();
    await operator.sees(/2 workers share it now, the newest locked/, dialog);
    expect(await holdersOf('relay')).toEqual(['three', 'four']);
    await operator.confirm('Force release (2)');
    await operator.sees('relay was taken from 2 workers. It is free now.');
    expect(await holdersOf('relay')).toEqual([]);
  });

  it('edits no lease that they have not seen: its lock is shared by now', async () => {
    const lease = await scene.lease('relay', { workerName: 'writer' });
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    const { dialog } = operator;
    operator.visit.expectFailures(409);
    await operator.button('Edit').click();
    await dialog.getByLabel('New TTL').fill('4h');
    const { grantId } = lease;
    await scene.service.locks.downgrade({ lockName: 'relay', grantId });
    await operator.button('Save the changes', dialog).click();
    await operator.sees(/1 worker shares it now, locked/, dialog);
    expect(await operator.button('Save the changes', dialog).isDisabled()).toBe(true);
  });

  it('sees holders come and go, and those no longer whose time is over', async () => {
    const one = await reader('relay', 'one');
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    await seesHolders(operator, 'one');
    const { grantId } = await scene.lease('relay', { workerName: 'brief', mode: 'shared', ttl: '3s' });
    // It lasts until it was seen.
    await eventually(async () => {
      await scene.service.locks.renew({ lockName: 'relay', grantId, ttl: '3s' });
      await holder(operator, 'brief').waitFor({ timeout: 500 });
    });
    await reader('relay', 'two');
    await scene.release(one);
    await seesHolders(operator, 'two');
    expect(await holdersOf('relay')).toEqual(['two']);
  });

  it('sees the first of a crowd of holders, the others when asked, and how many more there are', async () => {
    await Promise.all(Array.from({ length: 103 }, (_, index) => reader('relay', `reader-${index}`)));
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    const rows = operator.region(/^Holders/).getByRole('rowheader');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(10);
    await operator.button('Show all (100)').click();
    expect(await rows.count()).toBe(100);
    await operator.sees('and 3 more', operator.region(/^Holders/));
    await operator.button('Force release all').click();
    await operator.sees('Force release 103 leases', operator.dialog);
    await operator.sees('and 3 more', operator.dialog);
  });

  it.each([
    ['view', []],
    ['release', ['Force release the lease of one']],
    ['edit', ['Edit the lease of one', 'Force release the lease of one']],
  ] as const)('is offered what they may do to a lease: %s', async (access, acts) => {
    scene = await openScene(browser, { resolveAccess: () => access });
    await reader('relay', 'one');
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    await seesHolders(operator, 'one');
    const buttons = await operator
      .region(/^Holders/)
      .getByRole('button')
      .all();
    expect(await Promise.all(buttons.map((button) => button.getAttribute('aria-label')))).toEqual(acts);
  });

  it('needs no mouse', async () => {
    await scene.lease('relay', { workerName: 'one', mode: 'shared', metadata: { batch: 1 } });
    await reader('relay', 'two');
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/relay' });
    const { keyboard } = operator.page;
    await operator.button('Force release all').focus();
    await keyboard.press('Tab');
    expect(await operator.focused()).toBe('Metadata');
    await keyboard.press('Enter');
    await operator.sees(/"batch": 1/);
    const focusedLabel = () => operator.page.locator(':focus').getAttribute('aria-label');
    await keyboard.press('Tab');
    expect(await focusedLabel()).toBe('Edit the lease of one');
    await keyboard.press('Tab');
    expect(await focusedLabel()).toBe('Force release the lease of one');
    await keyboard.press('Tab');
    expect(await focusedLabel()).toBe('Metadata of one');
    await keyboard.press('Shift+Tab');
    await keyboard.press('Enter');
    await operator.sees('Nobody waits; 1 other holder keeps it.', operator.dialog);
    await keyboard.type('one hangs');
    await operator.button('Force release', operator.dialog).press('Enter');
    await seesHolders(operator, 'two');
    // The button is gone.
    await eventually(async () => expect(await operator.focused()).toBe('relay'));
  });
});
