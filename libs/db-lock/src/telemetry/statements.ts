import type { AnsweredBatch } from '../store/coalescer.js';
import type { ServerTelemetry, StatementKind } from './telemetry.js';

/** Makes, for each kind of statement, what a Coalescer tells of its batches; nothing where nobody is told. */
export type StatementTellers = (kind: StatementKind) => ((batch: AnsweredBatch<unknown>) => void) | undefined;

export const statementTellers =
  (telemetry: ServerTelemetry | undefined): StatementTellers =>
  (kind) =>
    telemetry &&
    (({ size, sentAt, answeredAt, answers }) =>
      telemetry.answered(kind, size, answers.every(isError) ? 'failed' : 'answered', sentAt, answeredAt));

const isError = (answer: unknown): boolean =>
  (answer as { outcome?: unknown } | null | undefined)?.outcome === 'error';
