import { expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeWithBrowser } from '../support/browser.js';
import { openScene, Operator } from './operator.js';

/** More pixels than a scrollbar takes, and fewer than the page has for a margin. */
const INSIDE = 20;

describeWithBrowser('The page, to its right edge', (browser) => {
  it.each(['light', 'dark'] as const)('has the same colours, when it is %s', async (colorScheme) => {
    const scene = await openScene(browser);
    await scene.lease('job');
    const operator = await Operator.arrive(browser, scene, { colorScheme });
    await operator.link('job').waitFor();
    expect(await column(operator.page, 1)).toEqual(await column(operator.page, INSIDE));

    await operator.link('job').click();
    await operator.button('Force release').click();
    await operator.dialog.waitFor();
    expect(await column(operator.page, 1)).toEqual(await column(operator.page, INSIDE));
  });

  it('stands still when a scrollbar comes, and behind a dialog', async () => {
    const scene = await openScene(browser);
    await scene.lease('job');
    const operator = await Operator.arrive(browser, scene, { viewport: { width: 1280, height: 300 } });
    const { page } = operator;
    const left = () =>
      operator
        .link('job')
        .evaluate((link: { getBoundingClientRect(): { left: number } }) => link.getBoundingClientRect().left);
    await operator.link('job').waitFor();
    expect(await page.evaluate('document.documentElement.clientWidth')).toBeLessThan(1280);
    const withScrollbar = await left();
    await page.setViewportSize({ width: 1280, height: 900 });
    expect(await page.evaluate('document.documentElement.clientWidth')).toBe(1280);
    expect(await left()).toBe(withScrollbar);

    await page.setViewportSize({ width: 1280, height: 300 });
    await page.keyboard.press('?');
    await operator.dialog.waitFor();
    expect(await left()).toBe(withScrollbar);
    await page.mouse.move(1270, 290);
    await page.mouse.wheel(0, 200);
    await page.keyboard.press('Escape');
    await operator.dialog.waitFor({ state: 'hidden' });
    expect(await page.evaluate('window.scrollY')).toBe(0);
  });
});

/** The colours of a column of the screen, so many pixels from the right: each with how many pixels it goes down. */
async function column(page: Page, fromRight: number): Promise<string[]> {
  const picture = await page.screenshot();
  const reader = await page.context().newPage();
  const colours = await reader.evaluate<string[]>(`(async () => {
    const bytes = Uint8Array.from(atob('${picture.toString('base64')}'), (character) => character.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    canvas.drawImage(bitmap, 0, 0);
    const { data } = canvas.getImageData(bitmap.width - ${fromRight}, 0, 1, bitmap.height);
    return Array.from({ length: bitmap.height }, (_, y) => data.slice(4 * y, 4 * y + 3).join(' '));
  })()`);
  await reader.close();
  const bands: Array<{ colour: string; height: number }> = [];
  for (const colour of colours) {
    if (bands.at(-1)?.colour !== colour) bands.push({ colour, height: 0 });
    bands.at(-1)!.height++;
  }
  return bands.map(({ colour, height }) => `${colour}: ${height}`);
}
