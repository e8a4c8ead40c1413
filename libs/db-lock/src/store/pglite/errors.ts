import { DbLockError } from '../../lease/errors.js';
import { sharedClasses } from '../../lease/copies.js';

/** Somebody else has the data directory open; a second user would corrupt it. Nothing was opened. */
export class DataDirectoryInUseError extends DbLockError {
  readonly code = 'DATA_DIRECTORY_IN_USE';

  constructor(
    readonly directory: string,
    /** The process that has it open; this very process, if it is a second `PgliteDriver` that was refused. */
    readonly pid: number,
    pidFile: string,
  ) {
    super(
      pid === process.pid
        ? `The data directory ${directory} is already open in this process (${pid}). ` +
            'Use one PgliteDriver for all that share it.'
        : `The data directory ${directory} is in use by process ${pid}, and two processes would corrupt it. ` +
            `Stop that process or choose another directory. If process ${pid} is something else, remove ${pidFile}.`,
    );
  }
}

sharedClasses({ DataDirectoryInUseError });
