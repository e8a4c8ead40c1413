import { isObservable } from 'rxjs';
import type { BasicLease } from '../client/basic-lease.js';
import type { WorkRunner } from '../client/basic-lock-client.js';
import { promised } from '../client/promised.js';
import type { LockWorkOptions } from '../client/acquire-options.js';
import { DbLockConfigurationError, InvalidLockRequestError, LockBusyError } from '../lease/errors.js';
import { DEFAULT_FEATURE } from '../model/feature.js';
import { applicationOf, clientOf, type Application, type WorkClient } from './application.js';
import { KeyTemplate } from './key-template.js';
import type { LockKey, UseLockOptions } from './use-lock-options.js';

export type Method = (this: unknown, ...args: unknown[]) => unknown;

/** One method that runs under a lock. */
export class LockedMethod {
  readonly feature: string;
  readonly #acquire: LockWorkOptions;
  readonly #whenBusy: NonNullable<UseLockOptions['whenBusy']>;
  #template?: KeyTemplate;
  /** What runs it, in each application. */
  readonly #runners = new WeakMap<Application, WorkRunner<BasicLease>>();

  constructor(
    readonly name: string | symbol,
    /** `Class.method`, for messages. */
    private readonly label: string,
    private readonly method: Method,
    private readonly leasePlaces: readonly number[],
    private readonly key: LockKey,
    { feature = DEFAULT_FEATURE, whenBusy = 'throw', ...acquire }: UseLockOptions,
  ) {
    this.feature = feature;
    this.#whenBusy = whenBusy;
    this.#acquire = acquire;
  }

  /** @throws DbLockConfigurationError when the decorator was given what can't be. */
  check(client: WorkClient | undefined): void {
    const { signal, grantId } = this.#acquire;
    if (signal !== undefined || grantId !== undefined)
      throw this.#misused('signal and grantId belong to one acquire, not to all of them.');
    if (!['throw', 'skip'].includes(this.#whenBusy as string) && typeof this.#whenBusy !== 'function')
      throw this.#misused("whenBusy must be 'throw', 'skip' or a function.");
    if (!client) throw this.#withoutFeature();
    this.#checked(() => client.worksWith(this.#acquire));
    if (typeof this.key !== 'function') this.#checked(() => this.#keyTemplate());
  }

  /** Runs the method under the lock. */
  run(self: unknown, args: readonly unknown[]): Promise<unknown> {
    return promised(() => {
      const underLock = this.#runnerFor(self);
      if (typeof this.key !== 'function') return this.#runAs(this.#keyOf(args), underLock, self, args);
      return this.#keyFrom(self, args).then((lockName) => this.#runAs(lockName, underLock, self, args));
    });
  }

  #runAs(
    lockName: string,
    underLock: WorkRunner<BasicLease>,
    self: unknown,
    args: readonly unknown[],
  ): Promise<unknown> {
    let begun = false;
    const running = underLock(lockName, (lease) => {
      begun = true;
      const result = this.method.apply(self, this.#withLease(args, lease) as unknown[]);
      return Promise.resolve(result).then((ended) => this.#ended(ended));
    });
    if (this.#whenBusy === 'throw') return running;
    return running.catch((error: unknown) => {
      // The method's own errors are its own, also when it finds another lock busy.
      if (begun || !(error instanceof LockBusyError)) throw error;
      if (this.#whenBusy === 'skip') return undefined;
      return (this.#whenBusy as Method).call(self, error, ...args);
    });
  }

  /** Checks the options once for all calls in one application. */
  #runnerFor(self: unknown): WorkRunner<BasicLease> {
    const application = applicationOf(self);
    if (!application)
      throw this.#misused(
        'it was called on an object that no Nest application has made, and knows no lock client. Let Nest make the object.',
      );
    const known = this.#runners.get(application);
    if (known) return known;
    const client = clientOf(application, this.feature);
    if (!client) throw this.#withoutFeature();
    const runner = client.worksWith(this.#acquire);
    this.#runners.set(application, runner);
    return runner;
  }

  async #keyFrom(self: unknown, args: readonly unknown[]): Promise<string> {
    return (await (this.key as Method).apply(self, [...args])) as string;
  }

  #keyOf(args: readonly unknown[]): string {
    return (this.#template ?? this.#checked(() => this.#keyTemplate())).nameFor(args);
  }

  #keyTemplate(): KeyTemplate {
    if (typeof this.key !== 'string') throw this.#misused('the key must be a string or a function.');
    return (this.#template ??= new KeyTemplate(this.key));
  }

  #withLease(args: readonly unknown[], lease: BasicLease): readonly unknown[] {
    if (this.leasePlaces.length === 0) return args;
    const length = Math.max(args.length, ...this.leasePlaces.map((place) => place + 1));
    return Array.from({ length }, (_, place) => (this.leasePlaces.includes(place) ? lease : args[place]));
  }

  /** What comes later than the method's promise would come without the lock. */
  #ended(result: unknown): unknown {
    if (isLazy(result))
      throw this.#misused(
        'it returned an Observable or a generator, which would run after the lock. Return a promise.',
      );
    return result;
  }

  #checked<Result>(step: () => Result): Result {
    try {
      return step();
    } catch (error) {
      throw error instanceof InvalidLockRequestError ? this.#misused(`${error.message}.`) : error;
    }
  }

  #withoutFeature(): DbLockConfigurationError {
    return this.#misused(
      `its application has no feature "${this.feature}": import DbLockModule.forRoot({ feature: '${this.feature}' }), ` +
        'or name one that it has.',
    );
  }

  #misused(message: string): DbLockConfigurationError {
    return new DbLockConfigurationError('UseLock', `${this.label}: ${message}`);
  }
}

const GENERATORS = ['[object Generator]', '[object AsyncGenerator]'];

/** Whether somebody else decides when it does its work. */
function isLazy(result: unknown): boolean {
  if (typeof result !== 'object' || result === null) return false;
  return isObservable(result) || GENERATORS.includes(Object.prototype.toString.call(result));
}
