import { describe, expect, it } from '@jest/globals';
import { percentilesOf } from './histogram.js';
import { TallySheet } from './tally-sheet.js';

describe('TallySheet', () => {
  it('counts what has happened since it was taken away', () => {
    const sheet = new TallySheet();
    expect(sheet.take()).toBeUndefined();
    sheet.count('acquired');
    sheet.count('acquired');
    sheet.count('released');
    sheet.held(1_000);
    const tally = sheet.take()!;
    expect(tally.counts).toEqual({
      acquired: 2,
      refused: 0,
      waited: 0,
      released: 1,
      lost: 0,
      expired: 0,
      forced: 0,
    });
    expect(percentilesOf(tally.hold).count).toBe(1);
    expect(percentilesOf(tally.wait).count).toBe(0);
    expect(sheet.take()).toBeUndefined();
    sheet.count('lost');
    expect(sheet.take()).toMatchObject({ counts: { acquired: 0, lost: 1 }, contended: [] });
  });

  it('names the most contended locks alone', () => {
    const sheet = new TallySheet();
    sheet.count('refused');
    for (let name = 0; name < 50; name++)
      for (let times = 0; times <= name; times++)
        sheet.contended(`job:${name}`, times % 2 ? 'waited' : 'refused');
    const { contended } = sheet.take()!;
    expect(contended.map(({ lockName }) => lockName)).toEqual(
      Array.from({ length: 20 }, (_, place) => `job:${49 - place}`),
    );
    expect(contended[0]).toEqual({ lockName: 'job:49', refused: 25, waited: 25 });
  });

  it('keeps no more than a thousand names, however many are refused', () => {
    const sheet = new TallySheet();
    sheet.count('refused');
    for (let name = 0; name < 1_000; name++) sheet.contended(`job:${name}`, 'refused');
    for (let times = 0; times < 10; times++) sheet.contended('one too many', 'refused');
    for (let times = 0; times < 5; times++) sheet.contended('job:999', 'refused');
    const { contended } = sheet.take()!;
    expect(contended[0]).toEqual({ lockName: 'job:999', refused: 6, waited: 0 });
    expect(contended.map(({ lockName }) => lockName)).not.toContain('one too many');
  });
});
