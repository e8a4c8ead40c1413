import { beforeEach, describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { NOWHERE } from './roster.js';
import { ignoreAbort, onAbort, orAborted, type Abortable } from './abort-call.js';

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

describe('an answer that is waited for until a signal aborts', () => {
  it.each([
    ['before it is asked for', (abort: () => void) => abort(), 'never'],
    ['while it is on its way', (abort: () => void) => setTimeout(abort), 'never'],
    ['when it has come', () => {}, 'done'],
  ])('is heard or not: the signal aborts %s', async (_, when, outcome) => {
    const { signal, abort } = controllerOf();
    let answer!: (text: string) => void;
    const pending = new Promise<string>((resolve) => (answer = resolve));
    const unheard: string[] = [];
    when(() => abort('never'));
    const heard = orAborted(pending, signal, (text) => unheard.push(text));
    if (outcome === 'done') answer('done');
    await expect(heard.catch(String)).resolves.toBe(outcome);
    abort('too late');
    answer('done');
    await new Promise(setImmediate);
    expect(unheard).toEqual(outcome === 'done' ? [] : ['done']);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('rejects as the answer does', async () => {
    const { signal } = controllerOf();
    const broken = new Error('broken');
    await expect(orAborted(Promise.reject(broken), signal, () => {})).rejects.toBe(broken);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

function controllerOf() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: string) => controller.abort(reason) };
}
