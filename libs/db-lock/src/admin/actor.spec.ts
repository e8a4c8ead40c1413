import { expect, it } from '@jest/globals';
import { actorOf } from './actor.js';

it.each([
  [{}, 'unknown'],
  [{ user: null }, 'unknown'],
  [{ user: {} }, 'unknown'],
  [{ user: 'eve' }, 'eve'],
  [{ user: { id: 7 } }, '7'],
  [{ user: { sub: 'abc', email: 'eve@example.com' } }, 'eve@example.com'],
  [{ user: { name: 'Eve', username: 'eve' } }, 'eve'],
  [{ user: { username: 'a\0b\ud800' } }, 'ab\ufffd'],
  [{ user: 'x'.repeat(300) }, 'x'.repeat(255)],
])('the actor of %j is %j', (request, actor) => {
  expect(actorOf(request)).toBe(actor);
});
