import { expect } from '@jest/globals';
import type { Locator, Page } from 'playwright-core';
import { AdminScene } from '../admin/scene.js';
import type { LockServiceOptions } from '../support/lock-service.js';
import { eventually, type TestBrowser, type Visit, type VisitOptions } from '../support/browser.js';

/** An application with an admin, for the time of a test. */
export async function openScene(browser: TestBrowser, options?: LockServiceOptions): Promise<AdminScene> {
  const scene = await AdminScene.open(options);
  browser.closeLater(scene.service);
  return scene;
}

/** Somebody at the admin page: what they see is found as they would find it, by its role and its name. */
export class Operator {
  constructor(
    readonly visit: Visit,
    /** The address of the page, without what follows the `#`. */
    readonly address: string,
  ) {}

  /** @param hash - where in the page they go, such as `/overview` */
  static async arrive(
    browser: TestBrowser,
    scene: AdminScene,
    { hash = '', ...options }: VisitOptions & { hash?: string } = {},
  ): Promise<Operator> {
    const operator = new Operator(await browser.visit(options), `${scene.service.apiServer}/admin`);
    await operator.goTo(hash);
    return operator.isLetIn();
  }

  /** Waits until the page shows what it is about. */
  async isLetIn(): Promise<this> {
    await this.page.getByRole('banner').waitFor();
    return this;
  }

  get page(): Page {
    return this.visit.page;
  }

  /** Opens an address of the page as a link from elsewhere would. */
  async goTo(hash = ''): Promise<void> {
    await this.page.goto('about:blank');
    await this.page.goto(`${this.address}#${hash}`);
  }

  goToLock(lockName: string): Promise<void> {
    return this.goTo(placeOf(lockName));
  }

  /** Goes elsewhere in the page, as by a link of its own. The dialog that is open is closed before. */
  async moveTo(hash = '/'): Promise<void> {
    if ((await this.dialog.count()) > 0) {
      await this.page.keyboard.press('Escape');
      await this.dialog.waitFor({ state: 'hidden' });
    }
    await this.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  }

  moveToLock(lockName: string): Promise<void> {
    return this.moveTo(placeOf(lockName));
  }

  button(name: string | RegExp, within: Locator | Page = this.page): Locator {
    return within.getByRole('button', { name, exact: true });
  }

  link(name: string): Locator {
    return this.page.getByRole('link', { name, exact: true });
  }

  get dialog(): Locator {
    return this.page.getByRole('dialog');
  }

  /** A part of the page, by its heading. */
  region(name: string | RegExp): Locator {
    return this.page.getByRole('region', { name });
  }

  get search(): Locator {
    return this.page.getByRole('searchbox');
  }

  /** The row of a lock in the list. */
  row(lockName: string): Locator {
    return this.page.getByRole('row').filter({ has: this.link(lockName) });
  }

  /** A cell of a lock's row, by the head of its column. */
  async cell(lockName: string, column: string): Promise<string> {
    const heads = await this.page.getByRole('columnheader').allInnerTexts();
    const at = heads.findIndex((head) => head.trim() === column);
    if (at === -1) throw new Error(`No column ${column} among ${heads.join(', ')}`);
    return this.row(lockName).locator('th, td').nth(at).innerText();
  }

  /** The names in the list, in its order. */
  names(): Promise<string[]> {
    return this.page.locator('tr[data-row] [data-row-link]').allInnerTexts();
  }

  async seesNames(...names: string[]): Promise<void> {
    await eventually(async () => expect(await this.names()).toEqual(names));
  }

  async sees(text: string | RegExp, within: Locator | Page = this.page): Promise<void> {
    await within.getByText(text).filter({ visible: true }).first().waitFor();
  }

  /** What a fact of the lease says, by its term. */
  fact(term: string, within: Locator = this.region('Lease')): Locator {
    return within
      .locator('dt')
      .filter({ hasText: new RegExp(`^${term}$`) })
      .locator('+ dd');
  }

  async seesFact(term: string, value: string | RegExp): Promise<void> {
    await this.fact(term).filter({ hasText: value }).waitFor();
  }

  /** The rows of the history, the newest first: their event, worker, and reason and details. */
  async history(): Promise<Array<{ event: string; worker: string; why: string }>> {
    const rows = await this.region('History').locator('tbody tr').all();
    return Promise.all(
      rows.map(async (row) => {
        const [event, worker, , why] = await row.locator('td').allInnerTexts();
        return {
          event: event!.trim(),
          worker: worker!.trim(),
          why: why!.trim().replaceAll(/\s*\n\s*/g, ' '),
        };
      }),
    );
  }

  async seesHistory(...events: Array<{ event: string; worker?: string; why?: unknown }>): Promise<void> {
    await eventually(async () =>
      expect(await this.history()).toEqual(events.map((event) => expect.objectContaining(event))),
    );
  }

  async confirm(name: string | RegExp): Promise<void> {
    await this.button(name, this.dialog).click();
    await this.dialog.waitFor({ state: 'hidden' });
  }

  /** Clicks on the label of a choice, whose own element is out of sight. */
  async choose(label: string | RegExp): Promise<void> {
    await this.page.locator('label').filter({ hasText: label }).click();
  }

  /** Whether the help tells of all these keys, by what they do. */
  async tellsOfKeys(...labels: string[]): Promise<boolean> {
    await this.page.keyboard.press('Shift+?');
    await this.sees('Keyboard shortcuts', this.dialog);
    const told = await this.dialog.getByRole('rowheader').allInnerTexts();
    await this.page.keyboard.press('Escape');
    await this.dialog.waitFor({ state: 'hidden' });
    return labels.every((label) => told.includes(label));
  }

  /** What the focus is on, in words. */
  async focused(): Promise<string> {
    return (await this.page.locator(':focus').innerText()).trim();
  }

  async openSettings(): Promise<void> {
    await this.button(/^(Settings|设置)$/).click();
  }
}

const placeOf = (lockName: string): string => `/lock/${encodeURIComponent(lockName)}`;

/** Milliseconds of a duration as English writes it: `9m 58s`. */
export function millisecondsOf(duration: string): number {
  const units: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  const parts = [...duration.matchAll(/([\d.]+)(ms|[dhms])/g)];
  if (parts.length === 0) throw new Error(`No duration: ${duration}`);
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * units[unit!]!, 0);
}
