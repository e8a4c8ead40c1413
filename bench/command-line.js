import { parseArgs } from 'node:util';

/**
 * The options on the command line, each of which takes a value. Whatever makes no sense ends the process.
 *
 * @template {string} Name
 */
export class CommandLine {
  #usage;
  #values;

  /**
   * @param {string} usage
   * @param {Record<Name, string | undefined>} defaults
   */
  constructor(usage, defaults) {
    this.#usage = usage;
    const { help, ...given } = this.#parse(Object.keys(defaults));
    if (help) {
      process.stdout.write(usage);
      process.exit();
    }
    this.#values = { ...defaults, ...given };
  }

  /** @param {Name} name */
  text(name) {
    return this.#values[name];
  }

  /** @param {Name} name */
  list(name) {
    return (this.text(name) ?? '').split(',');
  }

  /** @param {Name} name */
  positive(name) {
    return this.#positive(this.text(name) ?? '');
  }

  /** @param {Name} name */
  atLeastZero(name) {
    return Number(this.text(name)) === 0 ? 0 : this.positive(name);
  }

  /** @param {Name} name */
  positives(name) {
    return this.list(name).map((text) => this.#positive(text));
  }

  /** @param {string} why @returns {never} */
  refuse(why) {
    process.stderr.write(`${why}\n\n${this.#usage}`);
    process.exit(1);
  }

  /** @param {string} text */
  #positive(text) {
    const number = Number(text);
    return number > 0 ? number : this.refuse(`${JSON.stringify(text)} is not a number above 0.`);
  }

  /** @param {string[]} names */
  #parse(names) {
    /** @type {import('node:util').ParseArgsConfig['options']} */
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
    try {
      return parseArgs({ options: { ...options, help: { type: 'boolean' } } }).values;
    } catch (error) {
      return this.refuse(/** @type {Error} */ (error).message);
    }
  }
}
