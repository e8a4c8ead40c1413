import { Crew } from './crew.js';
import { loadSystem, TTL } from '../systems.js';

/** @typedef {import('../systems.js').Place} Place */

/**
 * A system that takes part in a scenario.
 *
 * @typedef {object} Entry
 * @property {string} system - the name of a file in systems/
 * @property {string} [key] - where the system's name is not enough to tell it apart
 * @property {string} [name] - likewise, in the tables
 * @property {Partial<Place>} [place] - what differs from everybody's
 * @property {Entry} [rival] - is opened in the same process, to take turns with
 * @property {number} [processes] - by default one
 * @property {URL} [workspace] - whose bench and library the processes run; with a slash at its end; by default this one
 * @property {boolean} [counts] - the statements that it sends
 */

/** What the results call a system. @typedef {{ key: string, name: string, settings: string }} Description */

/** A system with its own processes. */
export class Contender {
  /** @type {Crew | undefined} */
  #crew;
  /** @type {import('../systems.js').Companion | undefined} */
  #companion;

  /**
   * @param {import('./stage.js').Stage} stage
   * @param {Entry} entry
   * @param {import('../systems.js').SystemModule} module
   * @param {Description[]} descriptions - of the system, and of its rival
   */
  constructor(stage, entry, module, descriptions) {
    this.stage = stage;
    this.entry = entry;
    this.module = module;
    this.key = entry.key ?? entry.system;
    this.descriptions = descriptions;
  }

  /**
   * Those that the options let take part.
   *
   * @param {import('./stage.js').Stage} stage
   * @param {Entry[]} entries
   */
  static async choose(stage, entries) {
    const { systems } = stage.options;
    const chosen = entries.filter(({ system }) => systems.length === 0 || systems.includes(system));
    return Promise.all(
      chosen.map(
        async (entry) =>
          new Contender(
            stage,
            entry,
            await loadSystem(entry.system),
            await Promise.all(openingsOf(entry).map(describe)),
          ),
      ),
    );
  }

  /**
   * Starts the processes.
   *
   * @param {Partial<Place>} [place] - what differs from everybody's
   */
  async enter(place) {
    const { processes = 1, counts = false } = this.entry;
    const shared = { ...this.stage.place, ttl: TTL, member: 0, ...place };
    this.#companion = await this.module.accompany?.({ ...shared, ...this.entry.place });
    const tasks = Array.from({ length: processes }, (_, member) => ({
      member,
      counts,
      openings: openingsOf(this.entry).map((one) => ({
        system: one.system,
        place: { ...shared, member, ...this.#companion?.place, ...one.place },
      })),
    }));
    this.#crew = await Crew.gather(tasks, this.entry.workspace);
  }

  /**
   * Lets the processes do the same at once.
   *
   * @param {string} load - the name of a file in loads/
   * @param {object} options
   * @returns {Promise<{ reports: any[], serverCpu: number, companionCpu: number }>} the CPU in µs, NaN where it can't be
   *   seen: of the databases, and of what runs beside
   */
  async work(load, options) {
    if (!this.#crew) throw new Error(`${this.key} has not entered.`);
    const cpu = () => [this.stage.servers.cpu() ?? NaN, this.#companion?.cpu() ?? NaN];
    const before = cpu();
    const reports = await this.#crew.work(load, options);
    const [serverCpu, companionCpu] = cpu().map((now, index) => now - before[index]);
    return { reports, serverCpu, companionCpu };
  }

  /** Ends them. */
  async leave() {
    await this.#crew?.dismiss();
    this.#crew = undefined;
    await this.#companion?.stop();
    this.#companion = undefined;
  }
}

/**
 * Does something while all contenders are there.
 *
 * @template Result
 * @param {Contender[]} contenders
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function withAll(contenders, work) {
  try {
    const entered = await Promise.allSettled(contenders.map((contender) => contender.enter()));
    const failed = entered.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    return await work();
  } finally {
    await Promise.all(contenders.map((contender) => contender.leave()));
  }
}

/** What each process opens. @param {Entry} entry */
const openingsOf = (entry) => (entry.rival ? [entry, entry.rival] : [entry]);

/** @param {Entry} entry @returns {Promise<Description>} */
async function describe({ system, key = system, name }) {
  const module = await loadSystem(system);
  return { key, name: name ?? module.name, settings: module.settings };
}
