import { expect, it } from '@jest/globals';
import { Actors } from './actor.js';

it.each([
  [{}, 'unknown'],
  [{ user: null }, 'unknown'],
  [{ user: {} }, 'unknown'],
  [{ user: 'eve' }, 'eve'],
  [{ user: { id: 7 } }, '7'],
  [{ user: { sub: 'abc', email: 'eve@example.com' } }, 'eve@example.com'],
  [{ user: { name: 'Eve', username: 'eve' } }, 'eve'],
  [{ user: { name: 'The boss', email: 'eve@example.com' } }, 'eve@example.com'],
  [{ user: { name: 'The boss', id: 7, sub: 'abc' } }, '7'],
  [{ user: { name: 'The boss', sub: 'abc' } }, 'abc'],
  [{ user: { name: 'Eve' } }, 'Eve'],
  [{ user: { username: 'a\0b\ud800' } }, 'ab\ufffd'],
  [{ user: 'x'.repeat(300) }, 'x'.repeat(255)],
])('the actor of %j is %j', async (request, actor) => {
  expect(await new Actors().of(request)).toBe(actor);
});
