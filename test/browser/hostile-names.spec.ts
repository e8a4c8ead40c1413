import { expect, it } from '@jest/globals';
import { describeWithBrowser, eventually } from '../support/browser.js';
import { openScene, Operator } from './operator.js';

const HOSTILE = [
  '<img src=x onerror="document.title=alert(1)">',
  '"><script>document.body.remove()</script>',
  '\u001b[2J\u0007\u0001',
  'jo\u0308b',
  'line\nbreak\ttab\r',
  '\u202egnp.exe',
  '🔒'.repeat(255),
  '=HYPERLINK("http://evil.example","x")',
  '@SUM(A1)',
  'javascript:alert(1)',
  '{{7*7}} %s {count} $& \\u0041',
  'a/../b?c#d%2F&e=f',
  '__proto__',
  ' ',
];

/** Elements that the page never makes itself. */
const INJECTED = 'body img, body iframe, #root script, body object, body embed';

/** Characters that have no shape of their own, or turn the text around. */
// oxlint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

describeWithBrowser('A name that somebody chose to do harm', (browser) => {
  it('is shown as it is, and does nothing', async () => {
    const scene = await openScene(browser);
    for (const name of HOSTILE)
      await scene.held({ lockName: name, workerName: name, metadata: { [name]: name }, reason: `${name}.` });
    const operator = await Operator.arrive(browser, scene);
    const { page } = operator;
    await eventually(async () => expect(await operator.names()).toHaveLength(HOSTILE.length));
    const shown = await page.locator('body').innerText();
    expect(shown).not.toMatch(INVISIBLE);
    expect(shown).toContain('<img src=x onerror="document.title=alert(1)">');
    expect(shown).toContain('\\u202Egnp.exe');
    expect(shown).toContain('jo\\u0308b');

    const links = page.locator('[data-row-link]');
    for (const [index, { lockName }] of (await scene.list()).items.entries()) {
      await links.nth(index).press('Enter'); // Where a click may meet what the page says of the last one.
      const heading = page.getByRole('heading', { level: 1 });
      await operator.seesFact('Holder', /./);
      await operator.sees('Held by hand');
      const title = await heading.innerText();
      expect(title).not.toMatch(INVISIBLE);
      expect(await page.title()).toBe(`${title} · dblock`);
      expect(new URL(page.url()).hash).toBe(`#/lock/${encodeURIComponent(lockName)}`);
      expect(await page.locator('body').innerText()).not.toMatch(INVISIBLE);
      expect(await page.locator(INJECTED).count()).toBe(0);
      await operator.button('Force release').click();
      await operator.dialog.getByLabel('Reason').fill(`${lockName}!`);
      await operator.confirm('Force release');
      await operator.button('Delete').waitFor();
      await page.goBack();
      await eventually(async () => expect(await operator.names()).toHaveLength(HOSTILE.length));
    }
    expect((await scene.list({ state: 'released' })).total).toBe(HOSTILE.length);
    expect(await page.locator(INJECTED).count()).toBe(0);
    expect(page.url().startsWith(operator.address)).toBe(true);
  });
});
