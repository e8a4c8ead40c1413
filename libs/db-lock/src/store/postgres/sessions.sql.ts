import type { Statement } from './fragments.sql.js';

/** What a connection is for. Each purpose has its own connection, with its own settings. */
export type Purpose =
  /** Grants and renewals: commit durably before they answer. */
  | 'acquire'
  /** Releases: losing one in a crash only means that the lease runs to its end. */
  | 'release'
  /** Lining waiters up and waking them: losing that in a crash costs them some time. */
  | 'queue'
  /** Acts of operators, and signs of life: they must not wait for those who read. */
  | 'act'
  /** Reading, recording, clean-up. */
  | 'desk';

export interface SessionTimeouts {
  /** Milliseconds after which the server gives a statement up. */
  statement: number;
  /** Milliseconds that a statement waits for a row lock. */
  rowLock: number;
}

/** The process that serves the session, as the server itself knows it. */
export const BACKEND_PID: Statement = {
  name: 'db_lock_backend_pid',
  text: 'SELECT pg_backend_pid() AS pid',
};

/** Prepares a connection of its own, which another purpose may have had before. */
export function sessionSettings(purpose: Purpose, timeouts: SessionTimeouts): string {
  return `RESET ALL; ${applied(settingsOf(purpose, timeouts), { forTransaction: false })}`;
}

/**
 * Begins a transaction, with settings that end with it: a pooler gives each transaction another session.
 * Should this process stop in its midst, the server does not keep the rows locked for longer than a statement may take.
 */
export function transactionStart(purpose: Purpose, timeouts: SessionTimeouts): string {
  const settings = {
    ...settingsOf(purpose, timeouts),
    idle_in_transaction_session_timeout: `'${timeouts.statement}'`,
  };
  return `BEGIN ISOLATION LEVEL READ COMMITTED; ${applied(settings, { forTransaction: true })}`;
}

function applied(settings: Record<string, string>, { forTransaction }: { forTransaction: boolean }): string {
  const calls = Object.entries(settings).map(
    ([name, value]) => `set_config('${name}', ${value}, ${forTransaction})`,
  );
  return `SELECT ${calls.join(', ')}`;
}

/**
 * Plans are pinned to nested loops by primary key: a plan made while the table was empty, or for a batch of another size,
 * would scan the table. What is read for operators depends on what they ask for: a plan for all would scan it, too.
 */
function settingsOf(purpose: Purpose, timeouts: SessionTimeouts): Record<string, string> {
  const settings: Record<string, string> = {
    default_transaction_isolation: `'read committed'`,
    statement_timeout: `'${timeouts.statement}'`,
    lock_timeout: `'${timeouts.rowLock}'`,
    jit: `'off'`,
  };
  if (purpose === 'acquire' || purpose === 'release') {
    settings['plan_cache_mode'] = `'force_generic_plan'`;
    for (const detour of ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan'])
      settings[detour] = `'off'`;
  }
  if (purpose === 'desk') settings['plan_cache_mode'] = `'force_custom_plan'`;
  settings['synchronous_commit'] =
    purpose === 'release' || purpose === 'queue'
      ? `'off'`
      : `CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END`;
  return settings;
}
