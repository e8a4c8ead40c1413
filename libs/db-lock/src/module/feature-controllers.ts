import { Controller, Inject, UseGuards, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import { AccessGuard } from '../admin/access.guard.js';
import { LocksAdminController } from '../admin/locks-admin.controller.js';
import { AdminAssetsController, AdminPageController } from '../admin/page.controller.js';
import { SameSiteGuard } from '../admin/same-site.guard.js';
import { sharedClasses, sharedValue } from '../lease/copies.js';
import { DjangoDbLockController } from '../server/django-db-lock.controller.js';
import { LocksController } from '../server/locks.controller.js';
import type { FeatureSetUp } from './feature-set-up.js';
import type { Guard } from './options.js';
import { getLockServerToken } from './tokens.js';

/** Those that call the feature's lock server. */
const SERVER_CONTROLLERS: Type[] = [LocksController, DjangoDbLockController, LocksAdminController];

const CONTROLLERS = [...SERVER_CONTROLLERS, AdminPageController, AdminAssetsController];

sharedClasses({
  LocksController,
  DjangoDbLockController,
  LocksAdminController,
  AdminPageController,
  AdminAssetsController,
});

/**
 * The controllers of one feature: a subclass each, because Nest keeps path, guards and dependencies per class, and
 * another feature's must not leak in.
 */
export function featureControllers(setUp: FeatureSetUp): Type[] {
  const { feature, path, services, admin, guards } = setUp;
  const all: Type[] = [];
  const serve = (base: Type, at: string, behind: Guard[]) => all.push(served(base, feature, at, behind));
  if (services) {
    serve(LocksController, path, guards);
    serve(DjangoDbLockController, path, guards);
  }
  if (admin) {
    const behind = [new SameSiteGuard(), ...setUp.adminGuards, new AccessGuard(setUp.resolveAccess)];
    serve(AdminPageController, `${path}/admin`, behind);
    serve(AdminAssetsController, `${path}/admin/assets`, behind);
    serve(LocksAdminController, `${path}/admin/api`, behind);
  }
  return all;
}

/** Whether a controller is one of ours, of whatever feature. */
export function isFeatureController(controller: Type): boolean {
  return CONTROLLERS.some((base) => controller.prototype instanceof base);
}

const features = sharedValue('features', () => new WeakMap<Type, string>());

/** The feature that a controller of ours serves. */
export const featureOf = (controller: Type): string | undefined => features.get(controller);

function served(base: Type, feature: string, path: string, guards: Guard[]): Type {
  const FeatureController = class extends base {};
  Object.defineProperty(FeatureController, 'name', { value: `${feature}_${base.name}` });
  features.set(FeatureController, feature);
  Controller({ path, version: VERSION_NEUTRAL })(FeatureController);
  if (SERVER_CONTROLLERS.includes(base)) Inject(getLockServerToken(feature))(FeatureController, undefined, 0);
  if (guards.length > 0) UseGuards(...guards)(FeatureController);
  return FeatureController;
}
