import { describe, expect, it } from '@jest/globals';
import { asDecision } from './waiting-acquire.js';

describe('an answer of the store, to one who waits', () => {
  it('is a fault of the store where there is none', () => {
    expect(asDecision(undefined)).toEqual({ outcome: 'error', error: expect.any(TypeError) });
  });
});
