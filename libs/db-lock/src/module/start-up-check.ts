import { Inject, Injectable, Logger, type OnModuleInit, type Type } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { DbLockConfigurationError } from '../lease/errors.js';
import { MAX_NAME_LENGTH } from '../lease/names.js';
import type { FeatureSetUp } from './feature-set-up.js';
import { isFeatureController } from './feature-controllers.js';
import { FEATURE_CONTROLLERS, FEATURE_SET_UP } from './private-tokens.js';
import { overlap, routesOf } from './routes.js';

/** The first steps of a feature's routes below its path. */
const ROUTES = [
  'locks',
  'leases',
  'lease-sets',
  'admin',
  'acquireLock',
  'releaseLock',
  'getLockInfo',
  'clearExpiredLocks',
];

/** A name of the longest kind takes two UTF-16 units a character. */
const MAX_PARAM_LENGTH = 2 * MAX_NAME_LENGTH;

/** Finds, at the start, what would go wrong later: features that get in each other's way, and doors without a guard. */
@Injectable()
export class StartUpCheck implements OnModuleInit {
  readonly #logger = new Logger('DbLock');

  constructor(
    @Inject(FEATURE_SET_UP) private readonly setUp: FeatureSetUp,
    @Inject(FEATURE_CONTROLLERS) private readonly controllers: Type[],
    private readonly modules: ModulesContainer,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    for (const other of this.#otherFeatures()) this.#checkAgainst(other);
    if (!this.#isServing()) return;
    this.#checkRoutes();
    this.#checkGuards('guards', this.setUp.services, this.setUp.guards.length, 'lock API');
    this.#checkGuards('adminGuards', this.setUp.admin, this.setUp.adminGuards.length, 'admin');
    this.#checkParameterLength();
  }

  /** An application context without an HTTP server serves nothing. */
  #isServing(): boolean {
    return (
      (this.setUp.services || this.setUp.admin) && typeof this.adapterHost.httpAdapter?.getType === 'function'
    );
  }

  #otherFeatures(): FeatureSetUp[] {
    return [...this.modules.values()]
      .map((module) => module.providers.get(FEATURE_SET_UP)?.instance as FeatureSetUp | undefined)
      .filter((setUp) => setUp !== undefined && setUp !== this.setUp) as FeatureSetUp[];
  }

  #checkAgainst(other: FeatureSetUp): void {
    const { feature, path, model, entities } = this.setUp;
    if (other.feature === feature)
      throw new DbLockConfigurationError(
        'feature',
        `"${feature}" is registered twice. Register it once (with isGlobal: true to inject it everywhere), or name another.`,
      );
    if (model && other.model && other.entities.lock === entities.lock)
      throw new DbLockConfigurationError(
        'entity',
        `${entities.lock.name} is used by the features "${feature}" and "${other.feature}". Each needs one of its own.`,
      );
    if (serves(this.setUp) && serves(other) && collide(path, other.path))
      throw new DbLockConfigurationError(
        'path',
        `"${path}" of the feature "${feature}" collides with "${other.path}" of "${other.feature}".`,
      );
  }

  /** The application's own controllers may share our path, but not our routes. */
  #checkRoutes(): void {
    const all = [...this.modules.values()].flatMap(({ controllers }) => [...controllers.values()]);
    const theirs = all
      .map(({ metatype }) => metatype as Type)
      .filter((controller) => !isFeatureController(controller));
    const ours = this.controllers.flatMap(routesOf);
    for (const controller of theirs) {
      const route = routesOf(controller).find((candidate) => ours.some((own) => overlap(own, candidate)));
      if (route)
        throw new DbLockConfigurationError(
          'path',
          `"${this.setUp.path}" collides with ${controller.name}, which serves /${route.steps.join('/')}.`,
        );
    }
  }

  #checkGuards(option: 'guards' | 'adminGuards', served: boolean, guards: number, what: string): void {
    if (!served || guards > 0 || this.setUp.public) return;
    if (process.env['NODE_ENV'] === 'production')
      throw new DbLockConfigurationError(
        option,
        `the ${what} of the feature "${this.setUp.feature}" would be open to everybody in production. Pass ${option}, ` +
          'or set public: true if something else keeps strangers out, or switch it off ' +
          `(${option === 'guards' ? 'autoRegisterServices' : 'autoRegisterAdmin'}: false).`,
      );
    this.#logger.warn(
      `The ${what} of the feature "${this.setUp.feature}" has no guard. In production that is a start-up error: pass ${option}.`,
    );
  }

  #checkParameterLength(): void {
    const { httpAdapter } = this.adapterHost;
    if (httpAdapter.getType() !== 'fastify') return;
    const { initialConfig } = httpAdapter.getInstance<FastifyConfig>();
    const limit = initialConfig?.routerOptions?.maxParamLength ?? initialConfig?.maxParamLength;
    if (limit === undefined || limit >= MAX_PARAM_LENGTH) return;
    this.#logger.warn(
      `Fastify refuses (HTTP 414) lock names longer than ${limit} characters: ` +
        `new FastifyAdapter({ routerOptions: { maxParamLength: ${MAX_PARAM_LENGTH} } }) lets all of them pass.`,
    );
  }
}

interface FastifyConfig {
  initialConfig?: { maxParamLength?: number; routerOptions?: { maxParamLength?: number } };
}

const serves = ({ services, admin }: FeatureSetUp): boolean => services || admin;

/** Two paths collide when they are one, or when one lies where the other's routes are. */
function collide(one: string, other: string): boolean {
  const [outer, inner] = one.length <= other.length ? [one, other] : [other, one];
  return outer === inner || ROUTES.some((route) => `${inner}/`.startsWith(`${outer}/${route}/`));
}
