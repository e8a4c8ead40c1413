import { parseArgs } from 'node:util';

/**
 * The options on the command line. Whatever makes no sense ends the process.
 *
 * @template {string} Name
 */
export class CommandLine {
  #usage;
  #given;
  #values;

  /**
   * @param {string} usage
   * @param {Record<Name, string | undefined>} defaults - of the options that take a value
   * @param {Partial<Record<Name, string>>} quick - of the same options, with --quick
   */
  constructor(usage, defaults, quick) {
    this.#usage = usage;
    const { help, quick: isQuick, ...given } = this.#parse(Object.keys(defaults));
    if (help) {
      process.stdout.write(usage);
      process.exit();
    }
    this.isQuick = isQuick === true;
    this.#given = given;
    this.#values = { ...defaults, ...(this.isQuick ? quick : {}), ...given };
  }

  /** Whether the option is on the command line. @param {Name} name */
  gives(name) {
    return this.#given[name] !== undefined;
  }

  /** @param {Name} name */
  text(name) {
    return this.#values[name];
  }

  /** @param {Name} name @returns {string[]} none when the option was not given */
  list(name) {
    return this.text(name)?.split(',') ?? [];
  }

  /** @param {Name} name @param {readonly string[]} known @returns {string[]} */
  choice(name, known) {
    const chosen = this.list(name);
    const unknown = chosen.find((one) => !known.includes(one));
    if (unknown !== undefined)
      this.refuse(`--${name} ${JSON.stringify(unknown)} is none of ${known.join(', ')}.`);
    return chosen;
  }

  /** @param {Name} name */
  positive(name) {
    return this.#positive(name, this.text(name) ?? '');
  }

  /** @param {Name} name */
  whole(name) {
    return this.#whole(name, this.text(name) ?? '');
  }

  /** @param {Name} name */
  wholes(name) {
    return this.list(name).map((text) => this.#whole(name, text));
  }

  /** @param {string} why @returns {never} */
  refuse(why) {
    process.stderr.write(`${why}\n\n${this.#usage}`);
    process.exit(1);
  }

  /** @param {Name} name @param {string} text */
  #whole(name, text) {
    const number = this.#positive(name, text);
    return Number.isInteger(number)
      ? number
      : this.refuse(`--${name} ${JSON.stringify(text)} is not a whole number.`);
  }

  /** @param {Name} name @param {string} text */
  #positive(name, text) {
    const number = Number(text);
    return number > 0 ? number : this.refuse(`--${name} ${JSON.stringify(text)} is not a number above 0.`);
  }

  /** @param {string[]} names */
  #parse(names) {
    /** @type {import('node:util').ParseArgsConfig['options']} */
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
    try {
      return parseArgs({
        options: { ...options, quick: { type: 'boolean' }, help: { type: 'boolean' } },
      }).values;
    } catch (error) {
      return this.refuse(/** @type {Error} */ (error).message);
    }
  }
}
