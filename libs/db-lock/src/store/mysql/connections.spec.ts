import { describe, expect, it } from '@jest/globals';
import { Connection } from './connections.js';
import { RolledBackError } from './errors.js';
import type { Packet } from './fragments.sql.js';

const IN_TRANSACTION = 1;

/** A server, or what stands before it, that answers the first statements only. */
class TaciturnServer {
  readonly threadId = 1;

  constructor(private readonly answers: number) {}

  query({ sql }: { sql: string }, done: (error: null, results: unknown) => void): void {
    const results = sql
      .split(';\n')
      .slice(0, this.answers)
      .map((statement) => (statement.startsWith('SELECT') ? [] : { serverStatus: IN_TRANSACTION }));
    done(null, results.length === 1 ? results[0] : results);
  }

  on = () => undefined;
  release = () => undefined;
  destroy = () => undefined;
}

/** A server that gives the transaction up when it has answered one of the statements, and goes on without it. */
class ForgetfulServer {
  readonly threadId = 1;
  sent: string[] = [];
  #isIn: boolean;

  constructor(
    private readonly givesUpAt?: string,
    isIn = false,
  ) {
    this.#isIn = isIn;
  }

  query({ sql }: { sql: string }, done: (error: null, results: unknown) => void): void {
    this.sent = sql.split(';\n');
    const results = this.sent.map((statement) => this.#run(statement));
    done(null, results.length === 1 ? results[0] : results);
  }

  #run(statement: string): unknown {
    if (statement === 'START TRANSACTION') this.#isIn = true;
    if (statement === 'COMMIT') this.#isIn = false;
    const result = statement.startsWith('SELECT') ? [] : { serverStatus: this.#isIn ? IN_TRANSACTION : 0 };
    if (statement === this.givesUpAt) this.#isIn = false;
    return result;
  }

  on = () => undefined;
  release = () => undefined;
  destroy = () => undefined;
}

const send = (server: ForgetfulServer | TaciturnServer, packet: Packet) =>
  new Connection(server).send(packet, 1_000);

const BEGIN = ['SET @before', 'START TRANSACTION', 'UPDATE a', 'SELECT a'];
const END = ['UPDATE b', 'COMMIT', 'SELECT b'];

it.each([1, 2, 4, 5])(
  'a packet of which %d statements have an answer is not taken for done',
  async (answers) => {
    const sending = send(new TaciturnServer(answers), [...BEGIN, ...END]);
    await expect(sending).rejects.toThrow('a part of what it was sent');
  },
);

describe('a transaction that the server gives up without a word', () => {
  it.each([
    ['in one packet, before a write', 'SELECT a', [...BEGIN, ...END]],
    ['in one packet, before the commit', 'SELECT a', [...BEGIN, 'COMMIT']],
    ['at the end of its first packet', 'SELECT a', BEGIN],
    ['in its second packet', 'UPDATE b', END],
  ])('is found out: %s', async (_, givesUpAt, packet) => {
    const server = new ForgetfulServer(givesUpAt, packet === END);
    await expect(send(server, packet)).rejects.toThrow(RolledBackError);
  });

  it.each([
    ['a whole one', false, [...BEGIN, ...END]],
    ['the first packet of one', false, BEGIN],
    ['the second packet of one', true, END],
    ['none', false, ['UPDATE a', 'SELECT a']],
    ['none, in one statement', false, ['SELECT a']],
  ])('is not found in %s', async (_, isIn, packet) => {
    const server = new ForgetfulServer(undefined, isIn);
    const told = await send(server, packet);
    expect(told).toHaveLength(packet.filter((statement) => statement.startsWith('SELECT')).length);
    expect(server.sent.filter((statement) => statement !== 'DO 0')).toEqual(packet);
  });
});
