import { describe, expect, it } from '@jest/globals';
import { Table } from './table.js';

const red = (text: string) => `<${text}>`;

const plain = (text: string) => text;

describe('a table', () => {
  it('lines its columns up, by what a terminal shows', () => {
    const table = new Table(['NAME', 'STATE'], plain);
    const rows = [
      ['a', 'held'],
      ['表表表', 'free'],
    ];
    expect([table.head(rows), ...table.lines(rows)]).toEqual([
      'NAME    STATE',
      'a       held',
      '表表表  free',
    ]);
  });

  it('paints cells, but not the space beside them', () => {
    const table = new Table(['A', 'B', 'C'], red);
    const rows = [[{ text: 'x', paint: red }, 'long', { text: 'y', paint: red }]];
    expect([table.head(rows), ...table.lines(rows)]).toEqual(['<A>  <B>     <C>', '<x>  long  <y>']);
  });

  it('keeps a column as wide as it has become', () => {
    const table = new Table([], plain);
    expect(table.lines([['long', 'x']])).toEqual(['long  x']);
    expect(table.lines([['a', 'x']])).toEqual(['a     x']);
    expect(table.lines([['longer', 'x']])).toEqual(['longer  x']);
  });
});
