import { ScriptProcess } from '../support/child-process.js';

const SCRIPT = `
import libsql from 'libsql';
import { createInterface } from 'node:readline';

const database = new libsql(process.argv[1], { timeout: 60_000 });
console.log('ready');
for await (const sql of createInterface({ input: process.stdin })) {
  try {
    database.exec(sql);
    console.log('done');
  } catch (error) {
    console.log(error.message);
  }
}
`;

/** A process beside the load that uses the same file, with one connection. */
export class SqliteOutsider {
  #said = 0;

  private constructor(private readonly process: ScriptProcess) {}

  static async start(file: string): Promise<SqliteOutsider> {
    const process = new ScriptProcess(SCRIPT, file);
    await process.line();
    return new SqliteOutsider(process);
  }

  /**
   * @param sql statements, on one line
   * @throws Error with what SQLite says
   */
  async run(sql: string): Promise<void> {
    this.process.say(sql);
    this.#said++;
    const answer = await this.process.line(this.#said + 1);
    if (answer !== 'done') throw new Error(`${sql}: ${answer}`);
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.process.kill();
  }
}
