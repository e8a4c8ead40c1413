/** The tables of one feature, as they are written in SQL (with their schema, when they have one). */
export interface TableNames {
  lock: string;
  history: string;
  waiter: string;
  holder: string;
  statistics: string;
}

/** `billing.locks` → `locks`. */
export function bareName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}
