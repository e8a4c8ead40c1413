import { expect, it } from '@jest/globals';
import { describeWithBrowser, eventually } from '../support/browser.js';
import { openScene, Operator } from './operator.js';

describeWithBrowser('Among 100,000 locks', (browser) => {
  it('the first rows and what is searched arrive, a page at a time', async () => {
    const scene = await openScene(browser);
    await scene.service.query(
      `INSERT INTO dblock_lock (lock_name, token, lock_time, expire_time)
       SELECT 'job:' || (place % 100) || ':' || lpad(place::text, 6, '0'), place, now(), now()
       FROM generate_series(1, 100000) AS place`,
    );
    await scene.service.query('ANALYZE dblock_lock');
    const timed = async (what: string, work: () => Promise<void>) => {
      const start = performance.now();
      await work();
      process.stderr.write(`Among 100,000 locks, ${what}: ${Math.round(performance.now() - start)} ms.\n`);
    };
    let operator!: Operator;
    await timed('the page with its first rows', async () => {
      operator = await Operator.arrive(browser, scene);
      await eventually(async () => expect(await operator.names()).toHaveLength(50));
    });
    await operator.sees('1–50 of 100,000 locks');
    await operator.sees('Page 1 of 2,000');
    await timed('a search', async () => {
      await operator.search.fill('042042');
      await operator.seesNames('job:42:042042');
    });
    await timed('the last page', async () => {
      await operator.goTo('/?page=500&pageSize=200&sort=fencingToken');
      await operator.isLetIn();
      await operator.sees('99,801–100,000 of 100,000 locks');
    });
    expect(await operator.names()).toHaveLength(200);
    await timed('groups', async () => {
      await operator.goTo('/?group=1&prefix=job%3A');
      await operator.link('job:42:').waitFor();
    });
    expect(await operator.page.getByRole('row').count()).toBeLessThan(400);
  });
});
