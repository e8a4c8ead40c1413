import { RequestMethod, type INestApplication, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';

/** One route of an application, as its controllers declare it. */
export interface Route {
  method: string;
  /** `dblock/locks/:lockName`: below the global prefix, without a slash at the start. */
  path: string;
}

/** Every route that the controllers below a path declare; none can hide from this by a decorator. */
export function routesBelow(app: INestApplication, path: string): Route[] {
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [
    ...module.controllers.values(),
  ]);
  return controllers
    .flatMap(({ metatype }) => routesOf(metatype as Type))
    .filter((route) => route.path.startsWith(`${path}/`));
}

/** Whether a route serves the admin's page or its files: they are there for browsers, and no API. */
export function isOfPage({ path }: Route): boolean {
  return /\/admin(\/assets\/:file)?$/.test(path);
}

/** The path with a value for each of its parameters. */
export function pathOf(route: Route, values: Record<string, string>): string {
  return route.path.replaceAll(/:(\w+)/g, (_, name: string) => values[name]!);
}

function routesOf(controller: Type): Route[] {
  const prototype = controller.prototype as Record<string, object>;
  return new MetadataScanner().getAllMethodNames(prototype).flatMap((name) => {
    const method = Reflect.getMetadata(METHOD_METADATA, prototype[name]!) as RequestMethod | undefined;
    if (method === undefined) return [];
    const [base, path] = [controller, prototype[name]!].map(pathOfTarget);
    return [{ method: RequestMethod[method], path: `${base}/${path}`.replace(/\/+$/, '') }];
  });
}

/** The first one: the others only add slashes. */
function pathOfTarget(target: object): string {
  const path = Reflect.getMetadata(PATH_METADATA, target) as string | string[];
  return String([path].flat()[0]);
}
