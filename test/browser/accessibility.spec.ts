import { beforeAll, afterAll, expect, it } from '@jest/globals';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { AdminScene } from '../admin/scene.js';
import { describeWithBrowser, eventually } from '../support/browser.js';
import { Operator } from './operator.js';
import { furnish, PLACES, sayIn } from './places.js';

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };

interface Look {
  colorScheme: 'light' | 'dark';
  size: typeof WIDE;
  rules: axe.RunOptions;
}

/** The dark look has other colors, and nothing else; the narrow one has the same, elsewhere. */
const LOOKS: Look[] = [
  { colorScheme: 'light', size: WIDE, rules: {} },
  { colorScheme: 'dark', size: WIDE, rules: { runOnly: ['color-contrast'] } },
  { colorScheme: 'dark', size: NARROW, rules: { rules: { 'color-contrast': { enabled: false } } } },
];

describeWithBrowser('The page', (browser) => {
  let scene: AdminScene;
  let empty: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.inMemory();
    await furnish(scene);
    empty = await AdminScene.open();
  });
  afterAll(async () => {
    await scene.service.close();
    await empty.service.close();
  });

  /** axe comes along with the page: to send it there for each look takes five times as long as to look. */
  async function arrive(where: AdminScene): Promise<Operator> {
    const operator = new Operator(await browser.visit(), `${where.service.apiServer}/admin`);
    await operator.visit.context.addInitScript(axe.source);
    await operator.goTo();
    return operator.isLetIn();
  }

  it('is usable by everybody, wherever they are', async () => {
    const operator = await arrive(scene);
    for (const [place, enter] of Object.entries(PLACES)) {
      await operator.page.setViewportSize(WIDE);
      await enter(operator, sayIn('en'));
      await isUsable(operator.page, place);
    }
  });

  it('is usable by everybody while there is no lock', async () => {
    const operator = await arrive(empty);
    await operator.sees('No lock yet');
    await isUsable(operator.page, 'the empty list');
    await operator.moveTo('/overview');
    await operator.sees('No name was contended in this time.');
    await isUsable(operator.page, 'the empty overview');
  });
});

/** In no look, axe finds anything, and nothing must be scrolled to the side. */
async function isUsable(page: Page, place: string): Promise<void> {
  for (const { colorScheme, size, rules } of LOOKS) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor();
    // What is read anew is faded meanwhile. A fading that gives way to another never finishes.
    await eventually(async () => expect(await page.locator('[data-outdated]').count()).toBe(0));
    await page.evaluate('Promise.allSettled(document.getAnimations().map(({ finished }) => finished))');
    // What axe would preload is for rules about media, which the page has none of.
    const options = JSON.stringify({ ...rules, preload: false, resultTypes: ['violations'] });
    const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, ${options})`);
    const found = violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' ')}`,
    );
    const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    const look = `${place}, ${colorScheme}, ${size.width} px wide`;
    expect({ look, found, overflow: Math.max(0, overflow) }).toEqual({ look, found: [], overflow: 0 });
  }
}
