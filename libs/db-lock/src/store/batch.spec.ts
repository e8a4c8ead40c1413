import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { answerEach, answerTogether, type BatchOptions, type Faults } from './batch.js';

interface Request {
  lockName: string;
  number: number;
}

type Blamed = ReturnType<Faults['blames']>;

/** What a batch fails with: whatever is in it. */
class Refused extends Error {
  constructor(readonly blamed: Blamed) {
    super('refused');
  }
}

const optionsWith = (patience: number): BatchOptions => ({
  faults: {
    isConflict: () => false,
    blames: (error) => (error as Refused).blamed,
  },
  patience,
});

const lockNames: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c', 'd');

const batches = fc
  .array(lockNames, { minLength: 1, maxLength: 12 })
  .map((names) => names.map((lockName, number): Request => ({ lockName, number })));

/** What is told of a request that was done. */
const done = ({ lockName, number }: Request) => `${number} of ${lockName}`;

const told = (answers: ReadonlyArray<string | object>) =>
  answers.map((answer) => (typeof answer === 'string' ? answer : 'error'));

describe.each([
  { how: 'together', answerAll: answerTogether },
  { how: 'each', answerAll: answerEach },
])('a batch that is answered $how', ({ answerAll }) => {
  it('has the answer of each request at its index, also where all of some locks fail', async () => {
    const property = fc.asyncProperty(batches, fc.uniqueArray(lockNames), async (batch, locked) => {
      const isLocked = ({ lockName }: Request) => locked.includes(lockName);
      const answers = await answerAll(batch, optionsWith(60_000), async (part) => {
        if (part.some(isLocked)) throw new Refused('each');
        return part.map(done);
      });
      expect(told(answers)).toEqual(batch.map((request) => (isLocked(request) ? 'error' : done(request))));
    });
    await fc.assert(property);
  });

  it('has it there also where single requests are refused', async () => {
    const property = fc.asyncProperty(batches, fc.array(fc.nat({ max: 11 })), async (batch, refused) => {
      const isRefused = ({ number }: Request) => refused.includes(number);
      const answers = await answerAll(batch, optionsWith(60_000), async (part) => {
        if (part.some(isRefused)) throw new Refused('one');
        return part.map(done);
      });
      expect(told(answers)).toEqual(batch.map((request) => (isRefused(request) ? 'error' : done(request))));
    });
    await fc.assert(property);
  });

  it('has an error for each where nobody is to blame, or there is no time to find out', async () => {
    const batch = ['a', 'b', 'a'].map((lockName, number) => ({ lockName, number }));
    for (const [blamed, patience] of [
      [undefined, 60_000],
      ['each', 0],
      ['one', 0],
    ] as const) {
      const answers = await answerAll(batch, optionsWith(patience), async (): Promise<string[]> => {
        throw new Refused(blamed);
      });
      expect(told(answers)).toEqual(['error', 'error', 'error']);
    }
  });
});
