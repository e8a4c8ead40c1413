import { ProblemError } from '../api/problem';

/** What the server says of one field; fields of JSON bodies are paths, so the first part names the field. */
export function issueOf(error: unknown, field: string): string | null {
  if (!(error instanceof ProblemError)) return null;
  const issue = error.issues.find((each) => each.field === field || each.field.startsWith(`${field}.`));
  return issue?.rule ?? null;
}

/** Whether every complaint of the server stands at a field that is shown. */
export function isAllAtFields(error: unknown, fields: readonly string[]): boolean {
  return (
    error instanceof ProblemError &&
    error.issues.length > 0 &&
    error.issues.every(({ field }) => fields.some((each) => field === each || field.startsWith(`${each}.`)))
  );
}
