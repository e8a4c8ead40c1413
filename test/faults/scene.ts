import type { INestApplication } from '@nestjs/common';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { LockServer, type DbLockModuleOptions, type LockClient } from 'nestjs-db-lock';
import { LocalTransport } from '../../libs/db-lock/src/client/local-transport.js';
import { createLockApplication } from '../support/lock-application.js';
import { GuardedResource } from './guarded-resource.js';
import { PostgresWitness } from './postgres-witness.js';
import { Recorder } from './recorder.js';
import type { Resource } from './resource.js';
import { tamperedPostgres } from './tampered-postgres.js';
import type { Tampering } from './tampering.js';
import type { Witness } from './witness.js';

/** Rows may be locked for as long as a test likes. */
export const PATIENT: Tampering = { pattern: /'lock_timeout', '\d+'/, replacement: `'lock_timeout', '0'` };

/** A database that is looked at. */
export interface Stage {
  database: TypeOrmModuleOptions;
  witness: Witness;
  resource: Resource;
  /** Of both applications. */
  feature?: DbLockModuleOptions;
}

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

  /** On PostgreSQL. */
  static open(url: string, ...tamperings: Tampering[]): Promise<Scene> {
    const driver = tamperedPostgres(PATIENT, ...tamperings);
    return Scene.on({
      database: { type: 'postgres', url, driver },
      witness: new PostgresWitness(url),
      resource: new GuardedResource(url),
    });
  }

  static async on({ database, witness, resource, feature = {} }: Stage): Promise<Scene> {
    const open = () => createLockApplication({ database, features: [feature] });
    const apps = [await open(), await open()];
    const recorder = await Recorder.open(witness, resource);
    const servers = apps.map((app) => app.get(LockServer));
    const [ann, bob] = servers.map((server) => recorder.client(new LocalTransport(server)));
    return new Scene(apps, ann!, bob!, servers[0]!, recorder);
  }

  async close(): Promise<void> {
    for (const app of this.apps) await app.close();
    // Else their leases would run out, and be warned of, in the midst of another suite.
    await Promise.all([this.ann, this.bob].map((client) => client.close()));
    await this.recorder.close();
  }
}
