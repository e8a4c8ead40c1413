import { widthOf } from './visible.js';

/** How a cell is painted, once it is padded. */
export type Paint = (text: string) => string;

/** One cell: visible text, and its colour where it has one. */
export type Cell = string | { text: string; paint: Paint };

const GAP = '  ';

/** Columns that line up, some rows at a time: a column that has become wider stays so. */
export class Table {
  #widths: number[];

  /** @param header what the columns are called; none for a table without a header */
  constructor(
    private readonly header: readonly string[],
    private readonly paintHeader: Paint,
  ) {
    this.#widths = header.map(widthOf);
  }

  /** The header, as wide as these rows need it. */
  head(rows: readonly Cell[][]): string {
    this.#fit(rows);
    return this.#line(this.header.map((text) => ({ text, paint: this.paintHeader })));
  }

  lines(rows: readonly Cell[][]): string[] {
    this.#fit(rows);
    return rows.map((row) => this.#line(row));
  }

  #fit(rows: readonly Cell[][]): void {
    for (const row of rows)
      for (const [column, cell] of row.entries())
        this.#widths[column] = Math.max(this.#widths[column] ?? 0, widthOf(textOf(cell)));
  }

  #line(row: readonly Cell[]): string {
    const last = row.length - 1;
    return row
      .map((cell, column) => {
        const text = textOf(cell);
        const padding = column === last ? '' : ' '.repeat(this.#widths[column]! - widthOf(text));
        return (typeof cell === 'string' ? text : cell.paint(text)) + padding;
      })
      .join(GAP)
      .trimEnd();
  }
}

const textOf = (cell: Cell): string => (typeof cell === 'string' ? cell : cell.text);
