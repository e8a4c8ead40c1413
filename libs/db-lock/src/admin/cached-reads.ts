import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { createHash, randomUUID } from 'node:crypto';
import { monotonicNow } from '../lease/clock.js';
import { inTime } from '../lease/in-time.js';
import { RecentMap } from '../lease/recent-map.js';

/** As much of a cache-manager Cache as is needed. */
interface Cache {
  wrap<Value>(key: string, read: () => Promise<Value>, ttl: number, refreshThreshold: number): Promise<Value>;
}

/** The token of @nestjs/cache-manager, which the application may not have. */
const CACHE_MANAGER = 'CACHE_MANAGER';

/** How old what an operator sees may be, in milliseconds. */
const TTL = 1_000;

/** At least so many values are remembered at a time. */
const REMEMBERED = 100;

/** How long the cache may take to say what it has, in milliseconds. */
const PATIENCE = 250;

/**
 * What operators look at often and at once, such as lists and counts, through the application's CacheModule where it has one.
 * Never the state of a lock by which anything is decided. A cache that fails, or hangs, is done without.
 */
@Injectable()
export class CachedReads {
  /** Makes the keys of this process and of the time since its last write: a cache may be shared with other databases. */
  #generation = randomUUID();
  readonly #underWay = new Map<string, Promise<unknown>>();
  readonly #remembered = new RecentMap<string, { value: Promise<unknown>; since: number }>(REMEMBERED);

  constructor(@Inject(ModuleRef) private readonly application: ModuleRef) {}

  /**
   * The value, in its JSON form (a store may keep JSON), as it was at most a second ago. Those who ask for the same at the same
   * time, as all do who watch the same page, share one read.
   */
  read<Value>(name: string, query: object, read: () => Promise<Value>): Promise<Value> {
    const key = this.#key(name, query);
    return this.#together(key, () => this.#read(key, read));
  }

  /** The value as it is now, whatever a cache holds. Those who ask for the same at the same time share one read. */
  share<Value>(name: string, query: object, read: () => Promise<Value>): Promise<Value> {
    return this.#together(this.#key(name, query), read);
  }

  /**
   * A value that costs much and need not be young, as it was at most `age` milliseconds ago; where the application has no
   * CacheModule, too.
   */
  remember<Value>(name: string, query: object, age: number, read: () => Promise<Value>): Promise<Value> {
    const key = this.#key(name, query);
    const known = this.#remembered.get(key);
    if (known && monotonicNow() - known.since < age) return known.value as Promise<Value>;
    const value = read();
    this.#remembered.set(key, { value, since: monotonicNow() });
    value.catch(() => this.#remembered.delete(key));
    return value;
  }

  /** Writes; what was read before is not shown any more, also when the write's outcome is unknown. */
  async write<Answer>(write: () => Promise<Answer>): Promise<Answer> {
    try {
      return await write();
    } finally {
      this.#generation = randomUUID();
    }
  }

  #together<Value>(key: string, read: () => Promise<Value>): Promise<Value> {
    const underWay = this.#underWay.get(key) as Promise<Value> | undefined;
    if (underWay) return underWay;
    const reading = read().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, reading);
    return reading;
  }

  async #read<Value>(key: string, read: () => Promise<Value>): Promise<Value> {
    const cache = this.#cache();
    if (!cache) return read();
    let reading: Promise<Value> | undefined;
    try {
      return await inTime(
        PATIENCE,
        cache.wrap(key, () => (reading = read()), TTL, 0),
      );
    } catch {
      return reading ?? read();
    }
  }

  #cache(): Cache | undefined {
    try {
      return this.application.get<Cache>(CACHE_MANAGER, { strict: false });
    } catch {
      // Nest throws when there is none.
      return undefined;
    }
  }

  #key(name: string, query: object): string {
    const digest = createHash('sha256').update(JSON.stringify(query)).digest('base64url');
    return `db-lock:${this.#generation}:${name}:${digest}`;
  }
}
