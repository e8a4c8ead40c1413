import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LockServer, type LockStore } from 'nestjs-db-lock';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { BlockingSession } from '../support/blocking-session.js';
import { AdminScene } from './scene.js';

/** More than there are connections for those who read. */
const READERS = 30;

describe('while whatever is read takes long', () => {
  let scene: AdminScene;
  /** A statement of it may take half a minute. */
  let patient: AdminScene;
  let session: BlockingSession;

  beforeAll(async () => {
    scene = await AdminScene.open({ features: [{ statementTimeout: '1s' }] });
    patient = await scene.openBeside({ features: [{ statementTimeout: '30s' }] });
    session = await BlockingSession.open(scene.service.databaseUrl);
  });
  beforeEach(() => session.query('BEGIN; LOCK TABLE dblock_lock IN ACCESS EXCLUSIVE MODE'));
  afterEach(() => session.query('ROLLBACK'));
  afterAll(async () => {
    await session.close();
    await patient.service.close();
    await scene.service.close();
  });

  /** Reads that last until they are given up, and what became of them. */
  function readers(of: AdminScene) {
    const { desk } = of.service.app.get<LockStore>(LOCK_STORE);
    const complaints: string[] = [];
    const all = Array.from({ length: READERS }, (_, reader) =>
      desk.count({ search: `reader ${reader}` }).catch((error: Error) => complaints.push(error.message)),
    );
    return { complaints, done: Promise.all(all) };
  }

  it('signs of life do not wait for it', async () => {
    const { complaints, done } = readers(patient);
    await patient.service.app.get(LockServer).ping();
    expect(complaints.length).toBeLessThan(READERS / 4);
    await session.query('ROLLBACK');
    await done;
  });

  it('whoever has stood in line for as long as a statement may last is told so, and asks the database nothing', async () => {
    const { complaints, done } = readers(scene);
    await done;
    expect(complaints).toHaveLength(READERS);
    const late = complaints.filter((complaint) => /stood in line for more than 1000 ms/.test(complaint));
    expect(late.length).toBeGreaterThan(READERS / 2);
  });
});
