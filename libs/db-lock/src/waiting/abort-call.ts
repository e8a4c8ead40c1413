import { Roster, type Listed } from '../lease/roster.js';

/** Who gives up when a signal aborts. */
export interface Abortable extends Listed {
  abort(reason: unknown): void;
}

/** Those who listen to a signal: one signal, such as that of a shutdown, may end thousands of waits. */
const rosters = new WeakMap<AbortSignal, Roster<Abortable>>();

/** Calls back when the signal aborts, until `ignoreAbort`. It must not have aborted yet. One signal at a time. */
export function onAbort(signal: AbortSignal, abortable: Abortable): void {
  rosterOf(signal).add(abortable);
}

export function ignoreAbort(signal: AbortSignal, abortable: Abortable): void {
  rosters.get(signal)?.delete(abortable);
}

/** One listener for all: an AbortSignal goes over those that it has, to add another one and to remove one. */
function rosterOf(signal: AbortSignal): Roster<Abortable> {
  const known = rosters.get(signal);
  if (known) return known;
  const roster = new Roster<Abortable>();
  rosters.set(signal, roster);
  signal.addEventListener('abort', () => {
    const listeners = [...roster]; // who is called leaves the roster
    for (const abortable of listeners) abortable.abort(signal.reason);
  });
  return roster;
}
