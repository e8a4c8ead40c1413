import type { DynamicModule, Provider, Type } from '@nestjs/common';
import { Actors } from '../admin/actor.js';
import { AdminFeature } from '../admin/admin-feature.js';
import { ChangeFeed } from '../admin/change-feed.js';
import { PageAddressModule } from '../admin/page-address.module.js';
import { AdminPageController } from '../admin/page.controller.js';
import { PageFiles, shippedPage } from '../admin/page-files.js';
import type { LockServer } from '../server/lock-server.js';
import type { FeatureSetUp } from './feature-set-up.js';
import type { CheckedOptions } from './options.js';
import { CHECKED_OPTIONS } from './private-tokens.js';
import { getLockServerToken } from './tokens.js';

/** What the admin's page needs beside its controllers; nothing, where there is no admin. */
export function featurePage(
  { admin, feature, path, resolveActor }: FeatureSetUp,
  controllers: Type[],
): { imports: DynamicModule[]; providers: Provider[] } {
  if (!admin) return { imports: [], providers: [] };
  const page = controllers.find(({ prototype }) => prototype instanceof AdminPageController)!;
  return {
    imports: [PageAddressModule.of({ page, path: `${path}/admin` })],
    providers: [
      { provide: PageFiles, useValue: shippedPage },
      {
        provide: AdminFeature,
        inject: [getLockServerToken(feature), CHECKED_OPTIONS],
        useFactory: ({ desk }: LockServer, { history }: CheckedOptions) =>
          new AdminFeature(
            feature,
            history !== false,
            new ChangeFeed(desk, history !== false),
            new Actors(resolveActor),
          ),
      },
    ],
  };
}
