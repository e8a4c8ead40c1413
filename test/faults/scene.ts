import type { INestApplication } from '@nestjs/common';
import { LockServer, type LockClient } from 'nestjs-db-lock';
import { LocalTransport } from '../../libs/db-lock/src/client/local-transport.js';
import { createLockApplication } from '../support/lock-application.js';
import { GuardedResource } from './guarded-resource.js';
import { PostgresWitness } from './postgres-witness.js';
import { Recorder } from './recorder.js';
import { tamperedPostgres, type Tampering } from './tampered-postgres.js';

/** Rows may be locked for as long as a test likes. */
export const PATIENT: Tampering = { pattern: /'lock_timeout', '\d+'/, replacement: `'lock_timeout', '0'` };

/** Two recorded clients of two applications over one database, whose statements may have been tampered with. */
export class Scene {
  private constructor(
    private readonly apps: readonly INestApplication[],
    readonly ann: LockClient,
    readonly bob: LockClient,
    /** What ann asks. */
    readonly server: LockServer,
    readonly recorder: Recorder,
  ) {}

  static async open(url: string, ...tamperings: Tampering[]): Promise<Scene> {
    const driver = tamperedPostgres(PATIENT, ...tamperings);
    const open = () => createLockApplication({ database: { type: 'postgres', url, driver } });
    const apps = [await open(), await open()];
    const recorder = await Recorder.open(new PostgresWitness(url), new GuardedResource(url));
    const servers = apps.map((app) => app.get(LockServer));
    const [ann, bob] = servers.map((server) => recorder.client(new LocalTransport(server)));
    return new Scene(apps, ann!, bob!, servers[0]!, recorder);
  }

  async close(): Promise<void> {
    for (const app of this.apps) await app.close();
    await this.recorder.close();
  }
}
