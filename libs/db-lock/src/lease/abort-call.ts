import { NOWHERE, Roster, type Listed } from './roster.js';

/** Who gives up when a signal aborts. */
export interface Abortable extends Listed {
  abort(reason: unknown): void;
}

/**
 * Those who listen to a signal, with one listener for all: an AbortSignal goes over the listeners that it has, to add another one and to
 * remove one, and one signal, such as that of a shutdown, may end thousands of waits.
 */
interface Listening {
  roster: Roster<Abortable>;
  listener: () => void;
}

const listenings = new WeakMap<AbortSignal, Listening>();

/** Calls back when the signal aborts, until `ignoreAbort`. It must not have aborted yet. One signal at a time. */
export function onAbort(signal: AbortSignal, abortable: Abortable): void {
  const { roster } = listenings.get(signal) ?? listenTo(signal);
  roster.add(abortable);
}

export function ignoreAbort(signal: AbortSignal, abortable: Abortable): void {
  const listening = listenings.get(signal);
  if (!listening) return;
  const { roster, listener } = listening;
  roster.delete(abortable);
  if (roster.size > 0) return;
  // Node.js keeps a signal for as long as it has a listener and may abort by itself.
  signal.removeEventListener('abort', listener);
  listenings.delete(signal);
}

/** Rejects as soon as the signal aborts, however long the answer takes. What is answered after that goes to `onUnheard`. */
export function orAborted<Answer>(
  pending: Promise<Answer>,
  signal: AbortSignal,
  onUnheard: (answer: Answer) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const abortable: Abortable = { place: NOWHERE, abort: reject };
    if (signal.aborted) reject(signal.reason as Error);
    else onAbort(signal, abortable);
    pending.then(
      (answer) => {
        ignoreAbort(signal, abortable);
        return signal.aborted ? onUnheard(answer) : resolve(answer);
      },
      (error: Error) => {
        ignoreAbort(signal, abortable);
        reject(error);
      },
    );
  });
}

function listenTo(signal: AbortSignal): Listening {
  const roster = new Roster<Abortable>();
  const listener = () => {
    const abortables = [...roster]; // who is called leaves the roster
    for (const abortable of abortables) abortable.abort(signal.reason);
  };
  signal.addEventListener('abort', listener);
  const listening = { roster, listener };
  listenings.set(signal, listening);
  return listening;
}
