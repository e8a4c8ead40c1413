import type { Actors } from './actor.js';
import type { ChangeFeed } from './change-feed.js';

/** What the admin of a feature must know of it. */
export class AdminFeature {
  constructor(
    readonly feature: string,
    /** Whether what happens to locks is recorded. */
    readonly history: boolean,
    readonly changes: ChangeFeed,
    readonly actors: Actors,
  ) {}
}
