import type { SeriesPoint } from '../api/contract';
import type { MessageKey } from '../language/catalogue';

export interface Series {
  id: keyof Omit<SeriesPoint, 'time'>;
  label: MessageKey;
  /** The name of a CSS variable. */
  color: string;
  fill?: boolean;
  values: number[];
}

type Kind = Omit<Series, 'values'>;

export const REQUESTS: readonly Kind[] = [
  { id: 'acquired', label: 'series.acquired', color: '--plot-1', fill: true },
  { id: 'waited', label: 'series.waited', color: '--plot-2' },
  { id: 'refused', label: 'series.refused', color: '--plot-3' },
];

export const LOSSES: readonly Kind[] = [
  { id: 'expired', label: 'series.expired', color: '--plot-2' },
  { id: 'lost', label: 'series.lost', color: '--plot-3' },
  { id: 'forced', label: 'series.forced', color: '--plot-4' },
];

export function seriesOf(kinds: readonly Kind[], points: readonly SeriesPoint[]): Series[] {
  return kinds.map((kind) => ({ ...kind, values: points.map((point) => point[kind.id]) }));
}

export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** The highest value, and where it is. */
export function peakOf(values: readonly number[]): { value: number; index: number } {
  let index = 0;
  for (const [at, value] of values.entries()) if (value > values[index]!) index = at;
  return { value: values[index] ?? 0, index };
}
