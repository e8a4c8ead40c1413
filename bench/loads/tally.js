import { quantilesOf } from '../report/statistics.js';
import { sent } from './statements.js';

/** @typedef {{ p50: number, p99: number }} Latency - in ms */

/**
 * @typedef {object} Report
 * @property {number} count - of what was done
 * @property {number} calls - with which it was done: fewer, where one does several at once
 * @property {number} took - ms
 * @property {Latency} whole - of one that was done
 * @property {Latency} acquire - of its part
 * @property {Latency} release - likewise
 * @property {number} nodeCpu - of this process, in µs
 * @property {number} statements - sent to PostgreSQL, where they are counted
 * @property {number} names - that those statements asked for
 * @property {number} refused - of those done
 * @property {string[]} errors
 */

/** Of the errors that are told. */
const LONGEST = 300;

/** Counts what a system does, in one or several stretches of time. */
export class Tally {
  count = 0;
  refused = 0;
  /** @type {string[]} */
  errors = [];
  /** In ms. @type {{ whole: number[], acquire: number[], release: number[] }} */
  latencies = { whole: [], acquire: [], release: [] };
  #took = 0;
  #nodeCpu = 0;
  #sent = { statements: 0, names: 0 };

  /** Runs a stretch whose time and cost count. @param {() => Promise<unknown>} stretch */
  async during(stretch) {
    const sentBefore = { ...sent };
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    await stretch();
    this.#took += performance.now() - start;
    const { user, system } = process.cpuUsage(cpuBefore);
    this.#nodeCpu += user + system;
    this.#sent.statements += sent.statements - sentBefore.statements;
    this.#sent.names += sent.names - sentBefore.names;
  }

  /** @param {unknown} error */
  fail(error) {
    this.errors.push(String(error).slice(0, LONGEST));
  }

  /** @returns {Report} */
  report() {
    const latency = (/** @type {number[]} */ times) => {
      const quantile = quantilesOf(times);
      return { p50: quantile(0.5), p99: quantile(0.99) };
    };
    const { whole, acquire, release } = this.latencies;
    return {
      count: this.count,
      calls: whole.length,
      took: this.#took,
      whole: latency(whole),
      acquire: latency(acquire),
      release: latency(release),
      nodeCpu: this.#nodeCpu,
      ...this.#sent,
      refused: this.refused,
      errors: this.errors,
    };
  }
}
