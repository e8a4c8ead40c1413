import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Arrivals } from './arrivals.js';

describe('Arrivals', () => {
  it('has the one first who came first, whoever leaves and comes again', () => {
    const step = fc.record({ leaves: fc.boolean(), looks: fc.boolean(), who: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const arrivals = new Arrivals<string>();
        const plain = new Set<string>();
        for (const { leaves, looks, who } of steps) {
          const member = `member ${who}`;
          if (leaves) expect(arrivals.delete(member)).toBe(plain.delete(member));
          else {
            arrivals.add(member);
            plain.add(member);
          }
          expect(arrivals.size).toBe(plain.size);
          if (looks) expect(arrivals.first).toBe([...plain][0]);
        }
        expect([...arrivals]).toEqual([...plain]);
        for (const member of plain) {
          expect(arrivals.first).toBe(member);
          arrivals.delete(member);
        }
        expect(arrivals.first).toBeUndefined();
      }),
    );
  });
});
