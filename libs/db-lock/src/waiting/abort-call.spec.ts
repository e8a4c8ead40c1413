import { describe, expect, it } from '@jest/globals';
import { NOWHERE } from '../lease/roster.js';
import { ignoreAbort, onAbort, type Abortable } from './abort-call.js';

describe('a call when a signal aborts', () => {
  const called: string[] = [];

  const abortable = (name: string, act = () => {}): Abortable => ({
    place: NOWHERE,
    abort(reason) {
      called.push(`${name} ${String(reason)}`);
      act();
    },
  });

  it('comes once, to all who listen then, whatever one of them does', () => {
    const { signal, abort } = controllerOf();
    const gone = abortable('gone');
    const last = abortable('last');
    const first = abortable('first', () => {
      for (const one of [first, last]) ignoreAbort(signal, one);
    });
    for (const one of [first, gone, last]) onAbort(signal, one);
    ignoreAbort(signal, gone);
    abort('enough');
    abort('again');
    expect(called.toSorted()).toEqual(['first enough', 'last enough']);
  });

  it('needs one listener of the signal for any number', () => {
    const { signal } = controllerOf();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    for (const name of ['a', 'b', 'c']) onAbort(signal, abortable(name));
    expect(listeners).toBe(1);
  });

  it('does not come to who has never listened to that signal', () => {
    const [one, other] = [controllerOf(), controllerOf()];
    const listener = abortable('listener');
    called.length = 0;
    onAbort(one.signal, listener);
    ignoreAbort(other.signal, listener);
    one.abort('now');
    expect(called).toEqual(['listener now']);
  });
});

function controllerOf() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: string) => controller.abort(reason) };
}
