import { Controller, Inject, UseGuards, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import { LocksAdminController } from '../admin/locks-admin.controller.js';
import { DjangoDbLockController } from '../server/django-db-lock.controller.js';
import { LocksController } from '../server/locks.controller.js';
import type { FeatureSetUp } from './feature-set-up.js';
import type { Guard } from './options.js';
import { getLockServerToken } from './tokens.js';

/**
 * The controllers of one feature: a subclass each, because Nest keeps path, guards and dependencies per class, and
 * another feature's must not leak in.
 */
export function featureControllers(setUp: FeatureSetUp): Type[] {
  const { path, services, admin, guards, adminGuards } = setUp;
  return [
    ...(services
      ? [served(LocksController, setUp, path, guards), served(DjangoDbLockController, setUp, path, guards)]
      : []),
    ...(admin ? [served(LocksAdminController, setUp, `${path}/admin/api`, adminGuards)] : []),
  ];
}

/** Whether a controller is one of ours, of whatever feature. */
export function isFeatureController(controller: Type): boolean {
  return [LocksController, DjangoDbLockController, LocksAdminController].some(
    (base) => controller.prototype instanceof base,
  );
}

function served(base: Type, { feature }: FeatureSetUp, path: string, guards: Guard[]): Type {
  const FeatureController = class extends base {};
  Object.defineProperty(FeatureController, 'name', { value: `${feature}_${base.name}` });
  Controller({ path, version: VERSION_NEUTRAL })(FeatureController);
  Inject(getLockServerToken(feature))(FeatureController, undefined, 0);
  if (guards.length > 0) UseGuards(...guards)(FeatureController);
  return FeatureController;
}
