import { describe, expect, it } from '@jest/globals';
import { InvalidLockRequestError } from '../lease/errors.js';
import { KeyTemplate } from './key-template.js';

describe('KeyTemplate', () => {
  it.each<[string, unknown[], string]>([
    ['plain', [], 'plain'],
    ['order:{0}', [42], 'order:42'],
    ['order:{0.id}', [{ id: 'a' }], 'order:a'],
    ['{1}/{0.items.1.sku}', [{ items: [{}, { sku: 7n }] }, true], 'true/7'],
    ['{0.length}', ['four'], '4'],
    ['{0}{1}', ['', 0], '0'],
    ['{{{0}}}', ['x'], '{x}'],
    ['{{0}}', ['x'], '{0}'],
    ['a}}b{{c', [], 'a}b{c'],
    ['{0}', ['{1}'], '{1}'],
    ['{10}', Array.from({ length: 11 }, (_, index) => index), '10'],
    ['{0.a-b}', [{ 'a-b': 'dashed' }], 'dashed'],
  ])('reads %j', (template, args, name) => {
    expect(new KeyTemplate(template).nameFor(args)).toBe(name);
  });

  it.each([
    '{',
    '}',
    '{}',
    'a{0',
    'a}b',
    '{id}',
    '{0.}',
    '{.id}',
    '{0..id}',
    '{-1}',
    '{ 0 }',
    '{{0}',
    '{0}}',
  ])('refuses %j', (template) => {
    expect(() => new KeyTemplate(template)).toThrow(InvalidLockRequestError);
  });

  it.each<[string, unknown[]]>([
    ['{0}', []],
    ['{0}', [undefined]],
    ['{0}', [null]],
    ['{0}', [NaN]],
    ['{0}', [{}]],
    ['{0}', [new Date()]],
    ['{0}', [() => 'x']],
    ['{0}', [Symbol('x')]],
    ['{0.id}', [{}]],
    ['{0.id}', [null]],
    ['{0.a.b.c}', [{ a: {} }]],
  ])('makes no name of %s in %j', (template, args) => {
    const error = caught(() => new KeyTemplate(template).nameFor(args));
    expect(error).toBeInstanceOf(InvalidLockRequestError);
    expect((error as InvalidLockRequestError).issues[0]!.field).toBe(template);
  });
});

function caught(step: () => unknown): unknown {
  try {
    return step();
  } catch (error) {
    return error;
  }
}
