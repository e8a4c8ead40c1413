import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core';
import { hasProgram } from './system-program.js';

/** Chromium without the windows, menus and pages of its own, which cost as much time as ours. */
const BROWSER = 'chromium-headless-shell';

/** Milliseconds for what takes a moment on an idle machine. */
export const PATIENCE = 30_000;

/** What a browser says of an answer that a page is told of anyway. */
const FAILED_REQUEST = /^Failed to load resource: /;

/** A suite that needs a browser. Skipped, loudly, where none can be had; in CI that is an error. */
export function describeWithBrowser(name: string, suite: (browser: TestBrowser) => void): void {
  (hasProgram(BROWSER, name) ? describe : describe.skip)(name, () => {
    const browser = new TestBrowser();
    beforeAll(() => browser.open());
    afterEach(() => browser.closeVisits());
    afterAll(() => browser.close());
    suite(browser);
  });
}

export interface VisitOptions extends BrowserContextOptions {
  /** How far the browser's clock is off, in milliseconds. */
  clockOffset?: number;
}

/** One browser for a suite. Each visit is somebody new, who has never been there before. */
export class TestBrowser {
  #browser?: Browser;
  #visits: Visit[] = [];
  #visited: Array<{ close(): Promise<void> }> = [];

  async open(): Promise<void> {
    this.#browser = await chromium.launch({
      executablePath: pathOf(BROWSER),
      ignoreDefaultArgs: ['--hide-scrollbars'],
      // No name is looked up: nothing but this machine can be reached.
      args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
      timeout: PATIENCE * 2,
    });
  }

  async visit({ clockOffset = 0, ...options }: VisitOptions = {}): Promise<Visit> {
    const context = await this.#browser!.newContext({
      locale: 'en-US',
      timezoneId: 'UTC',
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      ...options,
    });
    context.setDefaultTimeout(PATIENCE);
    if (clockOffset !== 0) await context.clock.install({ time: Date.now() + clockOffset });
    const visit = new Visit(context, await context.newPage());
    this.#visits.push(visit);
    return visit;
  }

  /** What is visited goes when the test is over, after the visits. */
  closeLater(visited: { close(): Promise<void> }): void {
    this.#visited.push(visited);
  }

  /** @throws Error when anything went wrong in a page, whether or not anybody saw it */
  async closeVisits(): Promise<void> {
    const visits = this.#visits.splice(0);
    for (const visit of visits) await visit.close();
    for (const visited of this.#visited.splice(0)) await visited.close();
    const complaints = visits.flatMap((visit) => visit.complaints);
    if (complaints.length > 0) throw new Error(`The browser complains:\n${complaints.join('\n')}`);
  }

  async close(): Promise<void> {
    await this.#browser?.close();
  }
}

/** A page in a context of its own, and all that the browser has complained about in it. */
export class Visit {
  readonly complaints: string[] = [];
  #expected: RegExp[] = [];

  constructor(
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    context.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (!['data:', 'blob:'].includes(protocol) && hostname !== '127.0.0.1')
        this.#complain(`A request to another host: ${request.url()}`);
    });
    // Violations of the Content-Security-Policy among them.
    context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.#complain(message.text());
    });
    context.on('weberror', (error) => this.#complain(`Uncaught: ${error.error().stack}`));
    context.on('dialog', (dialog) => {
      this.#complain(`A dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    context.on('page', (opened) => opened.on('crash', () => this.#complain('The page has crashed.')));
  }

  /** From now on, requests may fail: with such an answer, or, without a status, for want of one. */
  expectFailures(...statuses: number[]): void {
    const reasons = statuses.map((status) => `the server responded with a status of ${status} `);
    if (statuses.length === 0) reasons.push('net::ERR_');
    this.#expected.push(...reasons.map((reason) => new RegExp(FAILED_REQUEST.source + reason)));
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  #complain(complaint: string): void {
    if (!this.#expected.some((expected) => expected.test(complaint))) this.complaints.push(complaint);
  }
}

/**
 * Tries again, every 50 ms, until nothing is thrown.
 * @throws what was thrown last, when it takes too long
 */
export async function eventually<Result>(attempt: () => Result | Promise<Result>): Promise<Result> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

function pathOf(program: string): string {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program));
  const found = candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`There is no ${program} in PATH.`);
  return found;
}
