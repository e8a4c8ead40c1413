import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Circuit } from './circuit.js';

/** A circuit whose other end a test switches. */
function setUp() {
  const line = {
    isReady: true,
    answers: true,
    probes: 0,
    probe: async () => {
      line.probes++;
      if (!line.isReady || !line.answers) throw new Error('silence');
    },
  };
  const circuit = new Circuit(line);
  const ask = () =>
    circuit.run(async () => {
      if (!line.answers) throw new Error('silence');
      return 'answer';
    });
  return { line, circuit, ask };
}

describe('the circuit', () => {
  const logged: string[] = [];

  beforeEach(() => {
    jest.useFakeTimers();
    logged.length = 0;
    Logger.overrideLogger({
      log: (message: string) => logged.push(message),
      warn: (message: string) => logged.push(message),
      error: (message: string) => logged.push(message),
    });
  });

  afterEach(() => {
    Logger.overrideLogger(false);
    jest.useRealTimers();
  });

  const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

  it('passes answers on', async () => {
    expect(await setUp().ask()).toBe('answer');
  });

  it('bears two failures in a row', async () => {
    const { line, circuit, ask } = setUp();
    for (const answers of [false, false, true, false, false]) {
      line.answers = answers;
      expect(await ask()).toBe(answers ? 'answer' : undefined);
    }
    expect(circuit.isCut).toBe(false);
    expect(logged).toEqual([]);
  });

  it('is cut by the third, sends nothing then, and is mended by a probe, once a second', async () => {
    const { line, circuit, ask } = setUp();
    line.answers = false;
    for (let i = 0; i < 3; i++) await ask();
    expect(circuit.isCut).toBe(true);
    const work = jest.fn(async () => 'answer');
    expect(await circuit.run(work)).toBeUndefined();
    await pass(5_000);
    expect(line.probes).toBe(5);
    line.answers = true;
    await pass(1_000);
    expect(circuit.isCut).toBe(false);
    expect(work).not.toHaveBeenCalled();
    expect(await circuit.run(work)).toBe('answer');
    expect(logged).toEqual([
      'The Redis gate does not answer (silence): locks work, without it.',
      'The Redis gate answers again.',
    ]);
    await pass(10_000);
    expect(line.probes).toBe(6);
  });

  it('sends nothing while nothing can be sent, and says nothing of a short break', async () => {
    const { line, circuit, ask } = setUp();
    line.isReady = false;
    const work = jest.fn(async () => 'answer');
    for (let i = 0; i < 10; i++) expect(await circuit.run(work)).toBeUndefined();
    expect(work).not.toHaveBeenCalled();
    await pass(800);
    line.isReady = true;
    await pass(100);
    expect(await ask()).toBe('answer');
    expect(logged).toEqual([]);
  });

  it('is cut when nothing can be sent for about a second', async () => {
    const { line, circuit } = setUp();
    line.isReady = false;
    await circuit.check();
    await pass(1_000);
    expect(circuit.isCut).toBe(true);
  });

  it('is mended though work from before the cut fails during the probe', async () => {
    const { line, circuit, ask } = setUp();
    let fail!: (error: Error) => void;
    const old = circuit.run(() => new Promise((_, reject) => (fail = reject)));
    line.answers = false;
    for (let i = 0; i < 3; i++) await ask();
    let answer!: () => void;
    line.probe = () => new Promise<void>((resolve) => (answer = resolve));
    await pass(1_000);
    fail(new Error('late'));
    await old;
    answer();
    await pass(1_000);
    answer();
    await pass(0);
    expect(circuit.isCut).toBe(false);
  });

  it('is mended though the wall clock was set back', async () => {
    const { line, circuit, ask } = setUp();
    line.answers = false;
    for (let i = 0; i < 3; i++) await ask();
    jest.setSystemTime(Date.now() - 3_600_000);
    line.answers = true;
    await pass(1_000);
    expect(circuit.isCut).toBe(false);
  });

  it('probes no more once it has ended', async () => {
    const { line, circuit, ask } = setUp();
    line.answers = false;
    for (let i = 0; i < 3; i++) await ask();
    circuit.end();
    await pass(10_000);
    expect(line.probes).toBe(0);
  });
});
