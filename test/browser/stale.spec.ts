import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AdminScene } from '../admin/scene.js';
import { describeWithBrowser, eventually } from '../support/browser.js';
import { PLATFORMS } from '../support/platforms.js';
import { openScene, Operator } from './operator.js';

describeWithBrowser('What an operator sees may be out of date', (browser) => {
  let scene: AdminScene;

  beforeEach(async () => {
    scene = await openScene(browser);
  });

  /** A lock whose lease has passed from worker-1 to worker-2 when the returned function has done its work. */
  async function passedOn(lockName: string): Promise<() => Promise<void>> {
    const lease = await scene.lease(lockName, { workerName: 'worker-1' });
    return async () => {
      await scene.release(lease);
      await scene.lease(lockName, { workerName: 'worker-2' });
    };
  }

  const holderOf = async (lockName: string) => (await scene.inspect(lockName)).workerName;

  it('when the lock has got another holder: that one keeps it, until the operator decides anew', async () => {
    const passOn = await passedOn('job');
    const operator = await Operator.arrive(browser, scene);
    operator.visit.expectFailures(409);
    await operator.goToLock('job');
    await operator.button('Force release').click();
    await operator.dialog.getByLabel('Reason').fill('worker-1 hangs');
    await passOn();
    await operator.button('Force release', operator.dialog).click();
    await operator.sees('The lock changed since you saw it', operator.dialog);
    const notice = operator.dialog.getByRole('alert');
    expect(await notice.innerText()).toMatch(
      /worker-2\s+holds it now, locked .* \(token \d+\)\. You saw the lease of\s+worker-1\s+\(token \d+\)\. Nothing was done/,
    );
    await operator.fact('Worker', operator.dialog).filter({ hasText: 'worker-2' }).waitFor();
    expect(await holderOf('job')).toBe('worker-2');
    expect((await scene.inspect('job')).state).toBe('held');

    await operator.confirm('Force release the new lease');
    await operator.sees('job was taken from worker-2.');
    expect((await scene.inspect('job')).state).toBe('released');
  });

  it('but not when a stream has reached its planned end: the page opens the next one, and misses nothing', async () => {
    await scene.lease('job:1');
    const operator = new Operator(await browser.visit(), `${scene.service.apiServer}/admin`);
    await operator.page.addInitScript(`
      states = [];
      new MutationObserver((changes) => states.push(...changes.map(({ target }) => target.dataset.state)))
        .observe(document, { subtree: true, attributeFilter: ['data-state'] });
    `);
    let streams = 0;
    await operator.page.route('**/api/changes', async (route) => {
      if (++streams > 1) return route.continue();
      await scene.lease('job:2'); // after the list was read, and before the next stream begins
      const body = 'retry: 60000\nevent: hello\ndata: {}\n\nevent: again\ndata: {}\n\n';
      await route.fulfill({ contentType: 'text/event-stream', body });
    });
    await operator.goTo();
    await operator.seesNames('job:1', 'job:2');
    await operator.sees('Live');
    await scene.lease('job:3');
    await operator.seesNames('job:1', 'job:2', 'job:3');
    expect(streams).toBe(2);
    expect(await operator.page.evaluate('states')).not.toContain('polling');
  });

  it('when they edit a lease that is over: the new one keeps its metadata', async () => {
    await scene.held({ lockName: 'job', workerName: 'worker-1', metadata: { job: 'old', secret: 1 } });
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/job' });
    const { dialog } = operator;
    await operator.button('Edit').click();
    await dialog.getByLabel('New TTL').fill('3h');
    operator.visit.expectFailures(409);
    await scene.forceRelease('job');
    const next = await scene.held({ lockName: 'job', workerName: 'worker-2', metadata: { job: 'new' } });
    await operator.button('Save the changes', dialog).click();
    await operator.sees('The lock changed since you saw it', dialog);
    const hasFocus = () => dialog.getByRole('alert').evaluate((notice) => notice.matches(':focus'));
    await eventually(async () => expect(await hasFocus()).toBe(true));
    expect(JSON.parse(await dialog.getByLabel('Metadata').inputValue())).toEqual({ job: 'new' });
    await operator.confirm('Save for the new lease');
    const edited = await scene.inspect('job');
    expect(edited).toMatchObject({ workerName: 'worker-2', metadata: { job: 'new' } });
    expect(Date.parse(edited.expireTime)).toBeGreaterThan(Date.parse(next.expireTime));
  });

  it('when an answer is lost: the page says that nobody knows, and looks', async () => {
    await scene.lease('job');
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/job' });
    const { dialog, page } = operator;
    await page.route('**/force-release', async (route) => {
      await route.fetch();
      await route.abort();
    });
    operator.visit.expectFailures();
    await operator.button('Force release').click();
    await dialog.getByLabel('Reason').fill('it hangs');
    await operator.button('Force release', dialog).click();
    await operator.sees(/^Whether it was done is unknown/, dialog);
    await operator.sees(/^Released$/);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await eventually(async () => expect(await operator.focused()).toBe('job'));
  });

  it('when they do not wait for an answer: they are told of it later', async () => {
    await scene.lease('job');
    const operator = await Operator.arrive(browser, scene, { hash: '/lock/job' });
    const { dialog, page } = operator;
    let answer = (): void => {};
    const slow = new Promise<void>((resolve) => (answer = resolve));
    const problem = { type: 'about:blank', title: 'No', status: 503, code: 'STORE_UNAVAILABLE' };
    await page.route('**/force-release', async (route) => {
      await slow;
      await route.fulfill({ status: 503, contentType: 'application/problem+json', json: problem });
    });
    operator.visit.expectFailures(503);
    await operator.button('Force release').click();
    await dialog.getByLabel('Reason').fill('it hangs');
    await operator.button('Force release', dialog).click();
    await operator.sees('The request is under way; closing does not stop it.', dialog);
    await page.keyboard.press('Escape');
    await operator.button('Close', dialog).last().click();
    await dialog.waitFor({ state: 'hidden' });
    answer();
    await operator.sees(
      /^Force release \(job\): The database can’t be reached · Whether it was done is unknown/,
    );
  });

  it('when nothing can be read, though the stream of changes goes on: the page says so', async () => {
    await scene.lease('job');
    const operator = await Operator.arrive(browser, scene, { clockOffset: 1 });
    const { page } = operator;
    await operator.sees('Live');
    await operator.seesNames('job');
    operator.visit.expectFailures(503);
    await page.route('**/api/inspect', (route) => route.fulfill({ status: 503, json: {} }));
    await page.clock.fastForward(11_000);
    await operator.sees(/^Stale, since \d\d:\d\d:\d\d$/);
    await operator.sees('What you see may be out of date');
    await page.unroute('**/api/inspect');
    await page.clock.fastForward(11_000);
    await operator.sees('Live');
  });

  it('when nobody holds the lock any more: nothing is left to do', async () => {
    const lease = await scene.lease('job', { workerName: 'worker-1' });
    const operator = await Operator.arrive(browser, scene);
    await operator.goToLock('job');
    await operator.button('Edit').click();
    await operator.dialog.getByLabel('New TTL').fill('5m');
    operator.visit.expectFailures(409);
    await scene.release(lease);
    await operator.button('Save the changes', operator.dialog).click();
    await operator.dialog.getByRole('alert').filter({ hasText: 'Nobody holds it any more' }).waitFor();
    const anew = operator.button('Save for the new lease', operator.dialog);
    expect(await anew.isDisabled()).toBe(true);
    await operator.button('Cancel', operator.dialog).click();
    await operator.button('Delete').waitFor();
    expect((await scene.inspect('job')).state).toBe('released');
  });

  it('when one of a selection has got another holder: the others are freed', async () => {
    const passOn = await passedOn('job:1');
    await scene.lease('job:2', { workerName: 'worker-1' });
    const operator = await Operator.arrive(browser, scene);
    await operator.seesNames('job:1', 'job:2');
    await operator.page.getByRole('checkbox', { name: 'Select all on this page' }).check();
    await operator.button('Force release (2)').click();
    const { dialog } = operator;
    await dialog.getByLabel('Reason').fill('a bad deployment');
    await passOn();
    await operator.button('Force release (2)', dialog).click();
    await operator.sees(/^1 lock is held by another lease/, dialog);
    expect(await dialog.getByRole('list', { name: 'What became of them' }).innerText()).toMatch(
      /job:1\s+now held by worker-2, locked [^]*job:2\s+force-released/,
    );
    expect(await holderOf('job:1')).toBe('worker-2');
    expect((await scene.inspect('job:2')).state).toBe('released');

    await operator.button('Decide anew (1)', dialog).click();
    await operator.sees('worker-2', dialog);
    await operator.confirm('Force release (1)');
    await eventually(async () => expect((await scene.inspect('job:1')).state).toBe('released'));
  });

  it('when the server is not heard of: the page says so, and catches up by itself', async () => {
    await scene.lease('job:1');
    const operator = await Operator.arrive(browser, scene, { clockOffset: 1 });
    const { page } = operator;
    await operator.sees('Live');
    await operator.seesNames('job:1');
    operator.visit.expectFailures();
    await page.route('**/api/**', (route) => route.abort());
    scene.service.app.getHttpServer().closeAllConnections();
    await operator.sees(/^Every 15s$/);
    await page.clock.fastForward(25_000);
    await operator.sees(/^Stale, since \d\d:\d\d:\d\d$/);
    await operator.seesNames('job:1');
    await scene.lease('job:2');
    await page.unroute('**/api/**');
    await page.clock.fastForward(30_000);
    await operator.sees('Live');
    await operator.seesNames('job:1', 'job:2');
    await scene.lease('job:3');
    await operator.seesNames('job:1', 'job:2', 'job:3');
  });

  it.each(PLATFORMS)(
    'when the application shuts down, which an open page does not hold up, on %s',
    async (platform) => {
      const going = await scene.openBeside({ platform });
      await scene.lease('job');
      const operator = await Operator.arrive(browser, going);
      await operator.sees('Live');
      operator.visit.expectFailures();
      operator.visit.expectFailures(503);
      await going.service.close();
      await operator.sees(/^(Every|Connecting|Stale)/);
      await operator.seesNames('job');
    },
  );

  describe('without a history', () => {
    it('the page reads anew every few seconds', async () => {
      const quiet = await openScene(browser, { features: [{ history: false }] });
      const operator = await Operator.arrive(browser, quiet);
      await operator.sees('No lock yet');
      await quiet.lease('job');
      await operator.seesNames('job');
      await operator.goTo('/overview');
      await operator.sees('The history is off');
    });
  });
});
