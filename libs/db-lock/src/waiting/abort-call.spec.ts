import { beforeEach, describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { NOWHERE } from '../lease/roster.js';
import { ignoreAbort, onAbort, type Abortable } from './abort-call.js';

describe('a call when a signal aborts', () => {
  let called: string[];

  beforeEach(() => {
    called = [];
  });

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
    const all = ['a', 'b', 'c'].map((name) => abortable(name));
    for (const one of all) onAbort(signal, one);
    expect(listeners).toBe(1);
    for (const one of all) ignoreAbort(signal, one);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('does not come to who has never listened to that signal', () => {
    const [one, other] = [controllerOf(), controllerOf()];
    const listener = abortable('listener');
    onAbort(one.signal, listener);
    onAbort(other.signal, abortable('another'));
    ignoreAbort(other.signal, listener);
    one.abort('now');
    expect(called).toEqual(['listener now']);
    other.abort('then');
    expect(called).toEqual(['listener now', 'another then']);
  });
});

function controllerOf() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: string) => controller.abort(reason) };
}
