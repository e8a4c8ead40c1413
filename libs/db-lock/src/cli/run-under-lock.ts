import ms from 'ms';
import type { Lease } from '../client/lease.js';
import { durationSchema, MAX_TTL } from '../lease/duration.js';
import { LeaseLostError, LockBusyError } from '../lease/errors.js';
import { parseRequest } from '../lease/requests.js';
import type { RunOptions } from './commands/run.js';
import { EXIT } from './exit-codes.js';
import { durationOf } from './flags.js';
import { GuardedCommand } from './guarded-command.js';
import { interruptible, type EndingSignal, type Interruption } from './interruption.js';
import { acquireOptions } from './lease-options.js';
import type { Session } from './session.js';

/** What is to run, and under which lock. */
interface Job {
  name: string;
  file: string;
  args: readonly string[];
}

/** Runs it while the lock is held. */
export async function runUnderLock(session: Session, job: Job, options: RunOptions): Promise<void> {
  const grace = parseRequest(durationSchema(0, MAX_TTL), durationOf(options.grace), 'grace');
  const wanted = {
    ...acquireOptions(options),
    minHold: options.minHold === undefined ? undefined : durationOf(options.minHold),
  };
  await session.at(options, ({ client }) =>
    interruptible(session.around, async (interruption) => {
      try {
        const { signal } = interruption;
        const lease = await client.acquire(job.name, { ...wanted, keepAlive: true, signal });
        try {
          return await guard(session, lease, job, interruption, grace);
        } finally {
          if (!isGone(lease)) await lease[Symbol.asyncDispose]();
        }
      } catch (error) {
        if (!(error instanceof LockBusyError) || options.conflictExitCode === undefined) throw error;
        session.fail(error);
        return options.conflictExitCode;
      }
    }),
  );
}

/** The store no longer knows it: there is nothing to release. */
const isGone = ({ signal }: Lease) =>
  signal.reason instanceof LeaseLostError && signal.reason.reason === 'refused';

/** @returns what to end with */
async function guard(
  session: Session,
  lease: Lease,
  { file, args }: Job,
  interruption: Interruption,
  grace: number,
): Promise<number> {
  interruption.signal.throwIfAborted();
  const { around } = session;
  const command = await GuardedCommand.start(file, args, {
    environment: {
      ...around.environment,
      DB_LOCK_NAME: lease.lockName,
      DB_LOCK_TOKEN: String(lease.fencingToken),
    },
    hasOwnGroup: !around.isOnTerminal,
  });
  interruption.pass = (signal) => {
    if (!isFromTerminal(signal, around.isOnTerminal)) command.signal(signal);
  };
  let stopping: Promise<void> | undefined;
  const stop = () => {
    session.warn(`The command is ended: SIGTERM now, SIGKILL in ${ms(grace)}.`);
    stopping = command.stop(grace);
  };
  if (lease.signal.aborted) stop();
  else lease.signal.addEventListener('abort', stop, { once: true });
  const exitCode = await command.ended;
  lease.signal.removeEventListener('abort', stop);
  interruption.pass = undefined; // its process group may be somebody else's by now
  if (!stopping) return exitCode;
  await stopping;
  return EXIT.lost;
}

/** A terminal has sent it to the command, too, which must not hear it twice. */
const isFromTerminal = (signal: EndingSignal, isOnTerminal: boolean) =>
  isOnTerminal && (signal === 'SIGINT' || signal === 'SIGQUIT');
