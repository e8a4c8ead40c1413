import { AxeBuilder } from '@axe-core/playwright';
import { beforeAll, afterAll, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { AdminScene } from '../admin/scene.js';
import { describeWithBrowser } from '../support/browser.js';
import { Operator } from './operator.js';
import { furnish, PLACES, sayIn } from './places.js';

const SIZES = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

describeWithBrowser('The page', (browser) => {
  let scene: AdminScene;
  let empty: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.open();
    await furnish(scene);
    empty = await AdminScene.open();
  });
  afterAll(async () => {
    await scene.service.close();
    await empty.service.close();
  });

  it('is usable by everybody, wherever they are', async () => {
    const operator = await Operator.arrive(browser, scene);
    for (const [place, enter] of Object.entries(PLACES)) {
      await operator.page.setViewportSize(SIZES[0]!);
      await enter(operator, sayIn('en'));
      await isUsable(operator.page, place);
    }
  }, 400_000);

  it('is usable by everybody while there is no lock', async () => {
    const operator = await Operator.arrive(browser, empty);
    await operator.sees('No lock yet');
    await isUsable(operator.page, 'the empty list');
    await operator.goTo('/overview');
    await operator.sees('No name was contended in this time.');
    await isUsable(operator.page, 'the empty overview');
  });
});

/** In every look, axe finds nothing, and nothing must be scrolled to the side. */
async function isUsable(page: Page, place: string): Promise<void> {
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor();
      const axe = new AxeBuilder({ page }).setLegacyMode();
      // The dark looks have other colors, and nothing else.
      if (colorScheme === 'dark') axe.withRules('color-contrast');
      const { violations } = await axe.analyze();
      const found = violations.map(
        ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' ')}`,
      );
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      const look = `${place}, ${colorScheme}, ${size.width} px wide`;
      expect({ look, found, overflow: Math.max(0, overflow) }).toEqual({ look, found: [], overflow: 0 });
    }
  }
}
