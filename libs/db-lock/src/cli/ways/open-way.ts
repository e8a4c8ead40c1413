import { Logger } from '@nestjs/common';
import type { Place } from '../place.js';
import type { Way } from './way.js';
import { openServerWay } from './server-way.js';

/**
 * Opens the way to the locks.
 * @param warn - hears what the library has to say: standard output is for answers
 * @param mayCreate - tables that are missing
 */
export async function openWay(
  place: Place,
  warn: (message: string) => void,
  mayCreate = false,
): Promise<Way> {
  Logger.overrideLogger({ log: () => undefined, warn, error: warn, fatal: warn });
  if (place.kind === 'server') return openServerWay(place);
  const { openDatabaseWay } = await import('./database-way.js');
  return openDatabaseWay(place, mayCreate);
}
