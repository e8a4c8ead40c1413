import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule } from 'nestjs-db-lock';
import { dataSourceOptions } from './data-source.js';

/** @typedef {Partial<import('nestjs-db-lock').DbLockModuleOptions>} LockOptions */

/**
 * The modules of an application with locks, whose lock server is in the same process unless the options say otherwise.
 *
 * @param {string | undefined} url - of the database, where there is one
 * @param {LockOptions} [options]
 */
export function lockModules(url, options) {
  const unserved = { autoRegisterServices: false, autoRegisterAdmin: false, ...options };
  if (url === undefined) return [DbLockModule.forRoot({ autoRegisterModel: false, ...unserved })];
  return [
    TypeOrmModule.forRoot({ ...dataSourceOptions(url), autoLoadEntities: true }),
    DbLockModule.forRoot({ createTables: true, ...unserved }),
  ];
}

/**
 * An application that serves nobody.
 *
 * @param {import('@nestjs/common').ModuleMetadata['imports']} imports
 * @param {import('@nestjs/common').Provider[]} [providers]
 */
export function openApplication(imports, providers) {
  const module = { module: class Application {}, imports, providers };
  return NestFactory.createApplicationContext(module, { logger: ['error'] });
}
