import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { NOWHERE, Roster, type Listed } from './roster.js';

describe('Roster', () => {
  it('has the members that a Set would have, whoever comes and goes', () => {
    const steps = fc.array(fc.record({ name: fc.integer({ min: 0, max: 9 }), comes: fc.boolean() }), {
      maxLength: 100,
    });
    fc.assert(
      fc.property(steps, (all) => {
        const members = Array.from({ length: 10 }, (_, name) => ({ name, place: NOWHERE }));
        const roster = new Roster<(typeof members)[number]>();
        const expected = new Set<(typeof members)[number]>();
        for (const { name, comes } of all) {
          const member = members[name]!;
          if (!comes) roster.delete(member);
          else if (!expected.has(member)) roster.add(member);
          expected[comes ? 'add' : 'delete'](member);
          expect(new Set(roster)).toEqual(expected);
          expect([...roster]).toHaveLength(expected.size);
        }
      }),
    );
  });

  it('leaves those alone who stand in another one', () => {
    const [one, other] = [new Roster<Listed>(), new Roster<Listed>()];
    const [ours, theirs] = [{ place: NOWHERE }, { place: NOWHERE }];
    one.add(ours);
    other.add(theirs);
    one.delete(theirs);
    expect([[...one], [...other]]).toEqual([[ours], [theirs]]);
    other.delete(theirs);
    expect([[...one], [...other]]).toEqual([[ours], []]);
  });
});
