import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The user to run a database as; spawn and execFile take it among their options. */
export interface ServerUser {
  uid: number;
  gid: number;
}

/**
 * Databases refuse to run as root, so root takes the user of that name or else nobody.
 *
 * @returns undefined when this process is not root and can run the database itself
 */
export async function findServerUser(name = 'postgres'): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  return (await lookUp(name)) ?? (await lookUp('nobody'));
}

async function lookUp(name: string): Promise<ServerUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}
