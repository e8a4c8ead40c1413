import { Inject, Module, type DynamicModule, type NestModule, type Type } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { HttpAdapterHost } from '@nestjs/core';
import { sharedSymbol } from '../lease/copies.js';

interface PageAddress {
  page: Type;
  path: string;
}

const ADDRESS = sharedSymbol('page address');

/**
 * Makes `…/admin/` as good as `…/admin`. Express takes both for one; Fastify doesn't, unless it is told to, and then
 * refuses to have both. When Nest lets modules configure themselves, the platform is known and no route is made yet.
 */
@Module({})
export class PageAddressModule implements NestModule {
  constructor(
    @Inject(ADDRESS) private readonly address: PageAddress,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
  ) {}

  static of(address: PageAddress): DynamicModule {
    return { module: PageAddressModule, providers: [{ provide: ADDRESS, useValue: address }] };
  }

  configure(): void {
    const { page, path } = this.address;
    // Nest strips one slash from the end of every path.
    const paths = this.#slashMatters() ? [path, `${path}//`] : path;
    Reflect.defineMetadata(PATH_METADATA, paths, page);
  }

  #slashMatters(): boolean {
    const { httpAdapter } = this.adapterHost;
    if (httpAdapter.getType() !== 'fastify') return false;
    const { initialConfig } = httpAdapter.getInstance<FastifyConfig>();
    return !(initialConfig?.routerOptions?.ignoreTrailingSlash ?? initialConfig?.ignoreTrailingSlash);
  }
}

interface FastifyConfig {
  initialConfig?: { ignoreTrailingSlash?: boolean; routerOptions?: { ignoreTrailingSlash?: boolean } };
}
