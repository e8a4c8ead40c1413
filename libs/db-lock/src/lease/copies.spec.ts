import { describe, expect, it } from '@jest/globals';
import { copiesOf, sharedClasses, sharedValue } from './copies.js';

/** What each copy of the package has by the same name. */
function copy() {
  class Animal {}
  class Dog extends Animal {}
  sharedClasses({ Animal, Dog });
  return { Animal, Dog };
}

describe('what two copies of the package share', () => {
  const [ours, theirs] = [copy(), copy()];

  it('are classes, to instanceof', () => {
    expect(new theirs.Dog() instanceof ours.Animal).toBe(true);
    expect(new theirs.Dog() instanceof ours.Dog).toBe(true);
    expect(new theirs.Animal() instanceof ours.Dog).toBe(false);
    expect(({} as object) instanceof ours.Animal).toBe(false);
    expect((null as unknown as object) instanceof ours.Animal).toBe(false);
  });

  it('leaves classes alone that extend them', () => {
    class Terrier extends ours.Dog {}
    expect(new Terrier() instanceof theirs.Dog).toBe(true);
    expect(new theirs.Dog() instanceof Terrier).toBe(false);
    expect(new Terrier() instanceof Terrier).toBe(true);
    expect(Terrier.prototype instanceof ours.Animal).toBe(true);
    expect(ours.Animal.prototype instanceof ours.Animal).toBe(false);
  });

  it('are values, which the first one makes', () => {
    const first = sharedValue('copies.spec', () => ({ made: 1 }));
    expect(sharedValue('copies.spec', () => ({ made: 2 }))).toBe(first);
  });

  it('is what there is to inject by', () => {
    copiesOf(ours.Dog, 'Dog of copies.spec');
    expect([...copiesOf(theirs.Dog, 'Dog of copies.spec')]).toEqual([ours.Dog, theirs.Dog]);
  });
});
