import { catalogues, patternOf } from './catalogues.js';
import type { AdminScene } from '../admin/scene.js';
import type { Operator } from './operator.js';

export const LONG_NAME = 'x'.repeat(255);

/** Says what the page says, in the operator's language. */
export type Say = (key: string) => RegExp;

export const sayIn =
  (language: string): Say =>
  (key) =>
    patternOf(catalogues.get(language)![key]!);

/** Locks for the places below, in all states. */
export async function furnish(scene: AdminScene): Promise<void> {
  await scene.held({ lockName: 'orders:eu:42', workerName: 'worker-1', metadata: { batch: 7 } });
  await scene.lease('orders:us:1', { workerName: LONG_NAME });
  await scene.lease(LONG_NAME);
  await scene.released('reports:daily');
  await scene.service.leaveExpired('invoices:7');
  void scene.acquire('orders:eu:42', { workerName: 'worker-2', wait: '1h' }).catch(() => {});
  await scene.waitedFor('orders:eu:42');
  await share(scene);
}

/** A lock that several share, with others waiting for it. */
async function share(scene: AdminScene): Promise<void> {
  const lockName = 'smtp:relay';
  const holders = [
    { workerName: 'mailer-1', limit: 5, metadata: { batch: 7 } },
    { workerName: LONG_NAME, limit: 8, permits: 2 },
    { workerName: 'mailer-3', mode: 'shared' as const },
  ];
  for (const holder of holders) await scene.lease(lockName, holder);
  for (const [index, fields] of [{ workerName: 'mailer-4', limit: 5, permits: 3 }, {}].entries()) {
    void scene.acquire(lockName, { workerName: 'archiver', wait: '1h', ...fields }).catch(() => {});
    await scene.waitedFor(lockName, index + 1);
  }
  await scene.lease('price-list', { workerName: 'reader-1', mode: 'shared' });
  const { grantId } = await scene.lease('catalogue', { workerName: 'writer-1' });
  await scene.service.locks.downgrade({ lockName: 'catalogue', grantId });
}

/** Where an operator may be who has arrived, in this order: each leaves the page as it is looked at. */
export const PLACES: Record<string, (operator: Operator, say: Say) => Promise<void>> = {
  async 'the list'(operator) {
    await operator.moveTo();
    await operator.link('orders:eu:42').waitFor();
  },
  async 'a selection'(operator, say) {
    await operator.row('orders:eu:42').getByRole('checkbox').check();
    await operator.region(say('bulk.label')).waitFor();
  },
  async 'the dialog for a selection'(operator, say) {
    await operator.button(say('bulk.force'), operator.region(say('bulk.label'))).click();
    await operator.sees(say('force.warningTitle'), operator.dialog);
  },
  async 'the dialog to clear'(operator, say) {
    await operator.moveTo();
    await operator.button(say('bulk.clear')).click();
    await operator.button(say('list.more')).click();
    await operator.page.getByRole('menuitem', { name: say('action.clearExpired') }).click();
    await operator.sees(say('clear.text'), operator.dialog);
  },
  async 'the list, grouped'(operator) {
    await operator.moveTo('/?group=1&prefix=orders%3A');
    await operator.link('orders:eu:').waitFor();
  },
  async 'a search that finds nothing'(operator, say) {
    await operator.moveTo('/?search=nothing&state=expired&prefix=a%3A');
    await operator.sees(say('noMatch.title'));
  },
  async 'a lock'(operator, say) {
    await operator.moveToLock('orders:eu:42');
    await operator.sees(say('event.created'));
    await operator.sees('worker-2', operator.page.locator('main ol'));
  },
  async 'the dialog to force a release'(operator, say) {
    await operator.button(say('action.forceRelease')).click();
    await operator.sees(say('force.warningTitle'), operator.dialog);
  },
  async 'the dialog to edit'(operator, say) {
    await operator.moveToLock('orders:eu:42');
    await operator.button(say('action.edit')).click();
    await operator.dialog.getByLabel(say('edit.ttl')).fill('soon');
    await operator.sees(say('ttl.wrong'), operator.dialog);
  },
  async 'a lock that is shared'(operator, say) {
    await operator.moveToLock('smtp:relay');
    await operator.sees(say('share.limited'), operator.page.locator('main ol'));
    await operator.button(say('holders.metadataOf')).click();
    await operator.sees(/"batch": 7/);
    await operator.sees(say('event.waited'));
  },
  async 'the dialog to end the lease of one who shares a lock'(operator, say) {
    await operator.button(say('holders.force')).last().click();
    await operator.sees(say('force.nextShared'), operator.dialog);
  },
  async 'the dialog to edit that'(operator, say) {
    await operator.moveToLock('smtp:relay');
    await operator.button(say('holders.edit')).first().click();
    await operator.sees('mailer-1', operator.dialog);
  },
  async 'the dialog to free a lock that is shared'(operator, say) {
    await operator.moveToLock('smtp:relay');
    await operator.button(say('action.forceReleaseAll')).click();
    await operator.sees(say('force.titleHolders'), operator.dialog);
    await operator.sees('mailer-3', operator.dialog);
  },
  async 'a lock that was downgraded'(operator, say) {
    await operator.moveToLock('catalogue');
    await operator.sees(say('event.downgraded'));
  },
  async 'a long name'(operator, say) {
    await operator.moveToLock(LONG_NAME);
    await operator.sees(say('event.acquired'));
  },
  async 'the dialog to delete'(operator, say) {
    await operator.moveToLock('reports:daily');
    await operator.button(say('action.delete')).click();
    await operator.sees(say('delete.text'), operator.dialog);
  },
  async 'a lock that is not there'(operator, say) {
    operator.visit.expectFailures(404);
    await operator.moveToLock('gone');
    await operator.sees(say('gone.text'));
  },
  async 'a page that is not there'(operator, say) {
    await operator.moveTo('/nowhere');
    await operator.sees(say('noPage.title'));
  },
  async 'the overview'(operator) {
    await operator.moveTo('/overview');
    await operator.page.locator('figure canvas').first().waitFor();
  },
  async 'the dialog to hold a lock'(operator, say) {
    await operator.moveTo();
    await operator.button(say('action.create')).click();
    await operator.button(say('create.submit'), operator.dialog).click();
    await operator.sees(say('create.nameMissing'), operator.dialog);
  },
  async 'the shortcuts'(operator, say) {
    await operator.moveTo();
    await operator.link('orders:eu:42').waitFor();
    await operator.page.keyboard.press('Shift+?');
    await operator.sees(say('keys.title'), operator.dialog);
  },
  async 'the settings'(operator, say) {
    await operator.moveTo();
    await operator.button(say('settings.label')).click();
    await operator.sees(say('settings.appearance'));
  },
  async 'an error'(operator, say) {
    await operator.moveTo();
    await operator.link('orders:eu:42').waitFor();
    operator.visit.expectFailures(500);
    const problem = {
      type: 'about:blank',
      title: 'Broken',
      status: 500,
      code: 'BROKEN',
      detail: 'It broke.',
    };
    await operator.page.route(/\/api\/(locks|groups)\?/, (route) =>
      route.fulfill({ status: 500, contentType: 'application/problem+json', json: problem }),
    );
    await operator.search.fill('y');
    await operator.sees(say('problem.unknown'));
  },
};
