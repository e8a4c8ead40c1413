import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';

/** One route of a controller, below the application's global prefix. */
export interface Route {
  method: RequestMethod;
  /** The path's steps; `:name` is a parameter. */
  steps: string[];
}

const scanner = new MetadataScanner();

/** The routes that a controller's decorators declare. */
export function routesOf(controller: Type): Route[] {
  const prototype = controller.prototype as Record<string, object>;
  return scanner.getAllMethodNames(prototype).flatMap((name) => {
    const handler = prototype[name]!;
    const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
    if (method === undefined) return [];
    return pathsOf(controller).flatMap((base) =>
      pathsOf(handler).map((path) => ({
        method,
        steps: `${base}/${path}`.split('/').filter((step) => step !== ''),
      })),
    );
  });
}

/** Whether some request would fit both routes. */
export function overlap(one: Route, other: Route): boolean {
  if (one.method !== other.method && ![one.method, other.method].includes(RequestMethod.ALL)) return false;
  if (one.steps.length !== other.steps.length) return false;
  return one.steps.every((step, index) => {
    const opposite = other.steps[index]!;
    return step === opposite || step.startsWith(':') || opposite.startsWith(':');
  });
}

function pathsOf(target: object): string[] {
  const path = (Reflect.getMetadata(PATH_METADATA, target) ?? '') as string | string[];
  return Array.isArray(path) ? path : [path];
}
