import type { INestApplicationContext, Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { SwaggerDocumentOptions } from '@nestjs/swagger';
import { DEFAULT_FEATURE } from '../model/feature.js';
import { featureOf, isFeatureController } from '../module/feature-controllers.js';

type Factory = NonNullable<SwaggerDocumentOptions['operationIdFactory']>;

const ids = new Map<string, string>();

/** Gives a method of a base controller its id in a document. */
export function nameOperation(controller: Type, method: string, id: string): void {
  ids.set(`${controller.name}.${method}`, id);
}

/**
 * Names our operations for what they do, `acquireLease`. Where several features meet in an application, those of all but `dblock`
 * begin with the feature's name, `billingAcquireLease`: an id occurs once in a document. Others are named as they would be without us.
 */
export function operationIds(app: INestApplicationContext, others: Factory = asNestDoes): Factory {
  const ours = new Map(featureControllersOf(app).map((controller) => [controller.name, controller]));
  const features = new Set([...ours.values()].map(featureOf));
  return (controllerName, method, version) => {
    const controller = ours.get(controllerName);
    const id = controller && ids.get(`${baseOf(controller).name}.${method}`);
    if (!controller || id === undefined) return others(controllerName, method, version);
    const feature = featureOf(controller);
    return features.size === 1 || feature === DEFAULT_FEATURE ? id : camelCase(`${feature}_${id}`);
  };
}

function featureControllersOf(app: INestApplicationContext): Type[] {
  const modules = [...app.get(ModulesContainer, { strict: false }).values()];
  return modules
    .flatMap(({ controllers }) => [...controllers.values()])
    .map(({ metatype }) => metatype as Type)
    .filter(isFeatureController);
}

const baseOf = (controller: Type) => Object.getPrototypeOf(controller) as Type;

/** `billing_eu_acquireLease` → `billingEuAcquireLease`. */
const camelCase = (name: string) => name.replaceAll(/_+(\w?)/g, (_, letter: string) => letter.toUpperCase());

const asNestDoes: Factory = (...parts) => parts.filter(Boolean).join('_');
