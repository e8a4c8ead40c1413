import type { Issue, Lock, Problem } from './contract';

/** A request that did not succeed; `status` 0 and code NETWORK when no answer came at all. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';

  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
  }

  get code(): string {
    return this.problem.code ?? (this.status === 0 ? 'NETWORK' : `HTTP_${this.status}`);
  }

  /** Whether the server has done what it was asked for is unknown: it did not answer, or does not know it itself. */
  get isWithoutAnswer(): boolean {
    return this.status === 0 || ([502, 503, 504].includes(this.status) && this.code !== 'OVERLOADED');
  }

  get issues(): readonly Issue[] {
    return this.problem.issues ?? [];
  }

  /** The lock as it is now, when it is no longer the one that the operator saw. */
  get changedLock(): Lock | null {
    return this.code === 'LOCK_CHANGED' ? (this.problem.lock ?? null) : null;
  }
}

export function isStatus(error: unknown, status: number): boolean {
  return error instanceof ProblemError && error.status === status;
}
