import { expect, it } from '@jest/globals';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdminScene } from '../admin/scene.js';
import { describeWithBrowser } from '../support/browser.js';
import { openScene, Operator } from './operator.js';

/** The folder that the pictures of the documentation are written to; without it, nothing is written. */
const { DB_LOCK_PICTURES } = process.env;

/** Bytes: everybody loads them who reads the README. */
const MOST_BYTES = 250_000;

/** Minutes before the present at which requests came: two lie between them, for what is counted in one spills into the next. */
const PAST = Array.from({ length: DB_LOCK_PICTURES === undefined ? 2 : 28 }, (_, index) => 56 - 2 * index);

/** How many came, so that it looks like a night: one wave on another. */
const requestsAt = (minutesAgo: number) =>
  Math.round(18 + 9 * Math.sin(minutesAgo / 8) + 5 * Math.sin(minutesAgo / 2.3));

/** Locks that are held for a moment only, and are free by now. */
const BRIEF = ['stock:sync', 'mail:outbox', 'cache:warm'];

const HELD: Array<
  [lockName: string, workerName: string, ttl: string, minutesAgo: number, metadata?: object]
> = [
  ['orders:eu:48213', 'checkout-7f9c:1', '12m', 3, { customer: 'c-1907' }],
  ['orders:eu:48217', 'checkout-7f9c:1', '14m', 1],
  ['invoices:2026-11', 'billing-5c8d:1', '25m', 18],
  ['search:reindex', 'indexer-2:4410', '90m', 31, { documents: 1_204_118 }],
  ['cron:nightly-report', 'reports-1:812', '40m', 22],
];

/** Three send mail where five may; one more has asked for more than there is left. */
const SEMAPHORE = 'smtp';

const SENDERS: Array<[workerName: string, ttl: string, permits: number]> = [
  ['mailer-1:2201', '6m', 1],
  ['mailer-2:2207', '9m', 1],
  ['newsletter-1:655', '14m', 2],
];

const READERS = ['checkout-7f9c:1', 'checkout-b2d4:1', 'feeds-3:4410'];

const HUNG = 'imports:catalogue';

describeWithBrowser('The pictures of the documentation', (browser) => {
  it('show the page while an import hangs', async () => {
    const scene = await openScene(browser);
    await furnish(scene);
    const operator = await Operator.arrive(browser, scene, { viewport: { width: 1280, height: 820 } });
    const { page } = operator;
    await operator.link('search:reindex').waitFor();
    await operator.sees('Live');
    await take(operator, 'admin-list');

    await page.setViewportSize({ width: 1280, height: 740 });
    await operator.goToLock(HUNG);
    await operator.sees('importer-4:1188', operator.region(/^Queue/));
    await operator.seesHistory(
      { event: 'Waited' },
      { event: 'Waited' },
      { event: 'Acquired' },
      { event: 'Forced' },
      { event: 'Waited' },
      { event: 'Edited' },
      { event: 'Acquired' },
    );
    await operator.sees('Live');
    await take(operator, 'admin-lock');
    await page.emulateMedia({ colorScheme: 'dark' });
    await take(operator, 'admin-lock-dark');
    await page.emulateMedia({ colorScheme: 'light' });

    await page.setViewportSize({ width: 1280, height: 660 });
    await operator.goToLock(SEMAPHORE);
    await operator.sees('newsletter-2:671', operator.region(/^Queue/));
    await operator.sees('Live');
    await take(operator, 'admin-shared');

    await page.setViewportSize({ width: 1280, height: 840 });
    await operator.goTo('/overview?range=1h');
    await page.locator('figure canvas').nth(1).waitFor();
    await operator.link(HUNG).waitFor();
    await operator.sees('Live');
    await take(operator, 'admin-overview');
  });
});

/** What an application does in an hour, by real calls; only when they came, is told another way. */
async function furnish(scene: AdminScene): Promise<void> {
  for (const minutesAgo of PAST) {
    const past = await scene.openBeside();
    for (let request = 0; request < requestsAt(minutesAgo); request++) await workBriefly(past, request);
    if (minutesAgo % 14 === 0) {
      await past.service.leaveExpired('cron:cleanup', 'reports-1:640');
      await past.release(await past.lease('cron:cleanup', { workerName: 'reports-2:655' }));
    }
    await past.service.close(); // Then all of it is recorded.
    await countedAgo(scene, minutesAgo);
  }
  await scene.service.query(
    `INSERT INTO dblock_statistics
     SELECT period + interval '1 min', acquired, refused, waited, released, 0, 0, 0, hold_times, wait_times, contended
     FROM dblock_statistics ON CONFLICT DO NOTHING`,
  );
  for (const lockName of [...BRIEF, 'cron:cleanup']) await endedAgo(scene, lockName, 2);

  const hung = await scene.lease(HUNG, { workerName: 'importer-1:1042', ttl: '20m' });
  await scene.happened(HUNG, 'acquired');
  await recordedAgo(scene, 26);
  const { fencingToken } = hung;
  await scene.edit(HUNG, { fencingToken, ttl: '60m', reason: 'the feed is twice as large today' });
  const next = waits(scene, 'importer-2:1077', { file: 'catalogue-2026-11-24.xml', rows: 48_120 });
  await scene.happened(HUNG, 'acquired', 'edited', 'waited');
  await recordedAgo(scene, 11);
  await scene.forceRelease(HUNG, { reason: 'importer-1 was evicted and never came back', fencingToken });
  await next;
  await scene.happened(HUNG, 'acquired', 'edited', 'waited', 'forced', 'acquired');
  await recordedAgo(scene, 6);
  await startedAgo(scene, HUNG, 6);
  for (const [lockName, workerName, ttl, minutesAgo, metadata] of HELD) {
    await scene.held({ lockName, workerName, ttl, metadata });
    await startedAgo(scene, lockName, minutesAgo);
  }
  for (const workerName of READERS)
    await scene.lease('price-list', { workerName, mode: 'shared', ttl: '2m' });
  for (const [workerName, ttl, permits] of SENDERS)
    await scene.lease(SEMAPHORE, { workerName, ttl, permits, limit: 5 });
  void scene
    .lease(SEMAPHORE, { workerName: 'newsletter-2:671', ttl: '14m', permits: 2, limit: 5, wait: '1h' })
    .catch(() => {}); // until the application goes
  await scene.waitedFor(SEMAPHORE);
  await scene.held({ lockName: 'deploy:freeze', ttl: '2h', reason: 'the database is being moved' });
  await startedAgo(scene, 'deploy:freeze', 14);
  await scene.service.leaveExpired('thumbnails:7731', 'media-9a1b:3');
  for (const worker of ['importer-3:1130', 'importer-4:1188']) {
    const waiting = ((await scene.service.locks.inspect(HUNG))?.waiting ?? 0) + 1;
    void waits(scene, worker).catch(() => {}); // until the application goes
    await scene.waitedFor(HUNG, waiting);
  }
}

const waits = (scene: AdminScene, workerName: string, metadata?: object) =>
  scene.service.locks.acquire({
    lockName: HUNG,
    workerName,
    grantId: crypto.randomUUID(),
    ttl: '45m',
    wait: '1h',
    ...(metadata && { metadata: metadata as Record<string, string> }),
  });

/** One holds a lock for a moment; now and then another is refused, or waits for it. */
async function workBriefly(scene: AdminScene, request: number): Promise<void> {
  const lockName = BRIEF[request % BRIEF.length]!;
  const lease = await scene.lease(lockName, { workerName: 'stock-4d1e:1', ttl: '5m' });
  if (request % 4 === 0) await scene.acquire(lockName, { workerName: 'stock-8a77:1' });
  if (request % 5 !== 0) return void (await scene.release(lease));
  const waiting = scene.lease(lockName, { workerName: 'stock-8a77:1', ttl: '5m', wait: '1m' });
  await scene.waitedFor(lockName);
  await scene.release(lease);
  await scene.release(await waiting);
}

/** What was counted just now, was so many minutes ago. */
async function countedAgo({ service }: AdminScene, minutes: number): Promise<void> {
  await service.query(
    `UPDATE dblock_statistics SET period = period - make_interval(mins => $1)
     WHERE period > now() - interval '2 min'`,
    [minutes],
  );
}

/** What was recorded just now, was so many minutes ago. */
async function recordedAgo({ service }: AdminScene, minutes: number): Promise<void> {
  await service.query(
    `UPDATE dblock_history SET event_time = event_time - make_interval(mins => $1)
     WHERE event_time > now() - interval '1 min'`,
    [minutes],
  );
}

/** Its lease began so many minutes ago. */
async function startedAgo({ service }: AdminScene, lockName: string, minutes: number): Promise<void> {
  await service.query(
    'UPDATE dblock_lock SET lock_time = lock_time - make_interval(mins => $2) WHERE lock_name = $1',
    [lockName, minutes],
  );
}

/** It became free so many minutes ago. */
async function endedAgo({ service }: AdminScene, lockName: string, minutes: number): Promise<void> {
  await service.query(
    `UPDATE dblock_lock SET lock_time = lock_time - make_interval(mins => $2), expire_time = expire_time - make_interval(mins => $2)
     WHERE lock_name = $1`,
    [lockName, minutes],
  );
}

async function take({ page }: Operator, name: string): Promise<void> {
  // A picture needs no scrollbar.
  await page.evaluate("document.documentElement.style.scrollbarWidth = 'none'");
  const picture = await page.screenshot({ animations: 'disabled' });
  expect(picture.length).toBeLessThan(MOST_BYTES);
  if (DB_LOCK_PICTURES === undefined) return;
  await mkdir(DB_LOCK_PICTURES, { recursive: true });
  await writeFile(join(DB_LOCK_PICTURES, `${name}.png`), picture);
}
