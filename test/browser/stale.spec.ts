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
