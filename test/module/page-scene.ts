import { afterAll, beforeAll } from '@jest/globals';
import type { DbLockModuleOptions } from 'nestjs-db-lock';
import { PageFiles } from '../../libs/db-lock/src/admin/page-files.js';
import { AdminPageFolder } from '../support/admin-page.js';
import type { LockApplicationOptions } from '../support/lock-application.js';
import { LockService, type Message } from '../support/lock-service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import type { Platform } from '../support/lock-application.js';

export const SCRIPT = 'index-Ab3_-9zQ.js';
export const STYLE = 'index-Zz81kLm0.css';

export const HTML = /^text\/html; ?charset=utf-8$/;

export const baseIn = (page: string) => /<base href="([^"]*)"/.exec(page)?.[1];
export const nonceIn = (page: string) => /<meta name="csp-nonce" content="([^"]*)"/.exec(page)?.[1];

/** Paths of one door: whoever may not pass at one, may not pass at any. */
export const DOOR = ['admin', `admin/assets/${SCRIPT}`, 'admin/assets/unknown.js', 'admin/api/locks'];

/** Applications that share a database, and a folder with the built page. */
export function pageScene(platform: Platform) {
  let folder: AdminPageFolder;
  let database: TestDatabase;

  beforeAll(async () => {
    folder = await (await AdminPageFolder.create()).build();
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await folder[Symbol.asyncDispose]();
    await database.drop();
  });

  /** Many applications share one database; each holds what it needs of it. */
  const serve = (options: Omit<LockApplicationOptions, 'database' | 'platform'> = {}, url = folder.url) =>
    LockService.open({
      platform,
      overrides: [[PageFiles, new PageFiles(url)]],
      database: { url: database.url, drop: async () => {} },
      ...options,
    });

  const serveFeature = (feature: DbLockModuleOptions) => serve({ features: [feature] });

  const statusesAt = async (service: LockService, paths: string[], message: Message = {}) => {
    const answers = await Promise.all(paths.map((path) => service.send('GET', path, message)));
    return answers.map(({ status }) => status);
  };
  return {
    serve,
    serveFeature,
    statusesAt,
    get folder() {
      return folder;
    },
  };
}
