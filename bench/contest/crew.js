import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isRunning, messageOf } from '../child-process.js';

/** @typedef {{ name: string, process: import('node:child_process').ChildProcess }} Member */

const WORKSPACE = new URL('../../', import.meta.url);

/** How long a process may take to end by itself, in ms. */
const ENDING = 5_000;

/** The processes of one contender. They end when this one does. */
export class Crew {
  /** @type {Member[]} */
  #members = [];

  /**
   * Starts them; resolves when their systems are open.
   *
   * @param {import('../worker.js').Task[]} tasks - one a process
   * @param {URL} [workspace] - whose bench and library they run
   */
  static async gather(tasks, workspace = WORKSPACE) {
    const crew = new Crew();
    const worker = fileURLToPath(new URL('bench/worker.js', workspace));
    try {
      for (const task of tasks) crew.#start(worker, task);
      await crew.#answers();
    } catch (error) {
      await crew.dismiss();
      throw error;
    }
    return crew;
  }

  /**
   * Lets all of them do the same at once.
   *
   * @param {string} load - the name of a file in loads/
   * @param {object} options
   * @returns {Promise<any[]>} what each of them reports
   */
  async work(load, options) {
    const reports = this.#answers();
    this.#tell({ load, options });
    return reports;
  }

  /** Resolves when all have ended. */
  async dismiss() {
    const running = this.#members.map(({ process }) => process).filter(isRunning);
    const ended = Promise.all(running.map((process) => once(process, 'exit')));
    this.#tell('close');
    const patience = setTimeout(() => running.forEach((process) => process.kill('SIGKILL')), ENDING);
    await ended;
    clearTimeout(patience);
  }

  /** @param {string} worker @param {import('../worker.js').Task} task */
  #start(worker, task) {
    const options = { serialization: /** @type {const} */ ('advanced'), stdio: ['ignore', 2, 2, 'ipc'] };
    const name = task.openings.map(({ system }) => system).join(' and ');
    const process = fork(worker, [JSON.stringify(task)], /** @type {any} */ (options));
    this.#members.push({ name, process });
  }

  /** @param {unknown} message */
  #tell(message) {
    for (const { process } of this.#members)
      if (process.connected) process.send(/** @type {any} */ (message));
  }

  async #answers() {
    return Promise.all(this.#members.map(({ name, process }) => messageOf(process, name)));
  }
}
