const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const;

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Before the database's time was heard of, there is none to show. */
const UNKNOWN = '–';

/** Numbers, times and durations as one language writes them. */
export class Formats {
  readonly plurals: Intl.PluralRules;
  readonly #number: Intl.NumberFormat;
  readonly #compact: Intl.NumberFormat;
  readonly #units: ReadonlyMap<string, Intl.NumberFormat>;
  readonly #clock: Intl.DateTimeFormat;
  readonly #minutes: Intl.DateTimeFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #dayAndTime: Intl.DateTimeFormat;
  readonly #dayAndClock: Intl.DateTimeFormat;
  readonly #full: Intl.DateTimeFormat;
  readonly #relative: Intl.RelativeTimeFormat;
  readonly #now: string;
  readonly #list: Intl.ListFormat;
  readonly #measure: Intl.ListFormat;

  constructor(language: string) {
    this.plurals = new Intl.PluralRules(language);
    this.#number = new Intl.NumberFormat(language);
    this.#compact = new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 });
    this.#units = new Map(
      ['day', 'hour', 'minute', 'second', 'millisecond'].map((unit) => [
        unit,
        new Intl.NumberFormat(language, {
          style: 'unit',
          unit,
          unitDisplay: 'narrow',
          maximumFractionDigits: 1,
        }),
      ]),
    );
    const time = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    this.#clock = new Intl.DateTimeFormat(language, { ...time, second: '2-digit' });
    this.#minutes = new Intl.DateTimeFormat(language, time);
    this.#day = new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric' });
    this.#dayAndClock = new Intl.DateTimeFormat(language, {
      ...time,
      month: 'short',
      day: 'numeric',
      second: '2-digit',
    });
    this.#dayAndTime = new Intl.DateTimeFormat(language, { ...time, month: 'short', day: 'numeric' });
    this.#full = new Intl.DateTimeFormat(language, {
      ...time,
      year: 'numeric',
      month: 'short',
      day: 'numeric',
      second: '2-digit',
      timeZoneName: 'short',
    });
    this.#relative = new Intl.RelativeTimeFormat(language, { style: 'short', numeric: 'always' });
    this.#now = new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(0, 'second');
    this.#list = new Intl.ListFormat(language, { type: 'conjunction' });
    this.#measure = new Intl.ListFormat(language, { type: 'unit', style: 'narrow' });
  }

  number(value: number): string {
    return this.#number.format(value);
  }

  /** `5–8`; one number where both are the same. */
  range(low: number, high: number): string {
    return low === high ? this.#number.format(low) : this.#number.formatRange(low, high);
  }

  compact(value: number): string {
    return this.#compact.format(value);
  }

  list(items: string[]): string {
    return this.#list.format(items);
  }

  /** The two largest units: `2h 5m`, `45s`; below a second, milliseconds when asked for. */
  duration(milliseconds: number, precise = false): string {
    const length = Math.max(0, milliseconds);
    if (precise && length < 1000) return this.#unit('millisecond', Math.round(length));
    if (precise && length < 10_000) return this.#unit('second', length / 1000);
    const seconds = Math.floor(length / 1000) * 1000;
    const at = UNITS.findIndex(([, size]) => seconds >= size);
    const [unit, size] = UNITS[at] ?? UNITS[UNITS.length - 1]!;
    const first = this.#unit(unit, Math.floor(seconds / size));
    const smaller = at === -1 ? undefined : UNITS[at + 1];
    const rest = smaller ? Math.floor((seconds % size) / smaller[1]) : 0;
    return smaller && rest > 0 ? this.#measure.format([first, this.#unit(smaller[0], rest)]) : first;
  }

  /** How long ago: `3 min. ago`, `now`. */
  ago(time: number, now: number): string {
    const elapsed = Math.max(0, now - time);
    if (elapsed < 1000) return this.#now;
    const [unit, size] = UNITS.find(([, unitSize]) => elapsed >= unitSize) ?? ['second', 1000];
    return this.#relative.format(-Math.floor(elapsed / size), unit);
  }

  /** The time of day to the second; when it is not today, the day and the time to the minute. A dash where no time is known yet. */
  time(time: number, now: number): string {
    if (Number.isNaN(time)) return UNKNOWN;
    return (this.#isSameDay(time, now) ? this.#clock : this.#dayAndTime).format(time);
  }

  /** The time of day to the second; with the day when it is not today. A dash where no time is known yet. */
  exact(time: number, now: number): string {
    if (Number.isNaN(time)) return UNKNOWN;
    return (this.#isSameDay(time, now) ? this.#clock : this.#dayAndClock).format(time);
  }

  /** For an axis whose steps are this long. */
  axis(time: number, step: number): string {
    if (step >= DAY) return this.#day.format(time);
    return step >= MINUTE ? this.#minutes.format(time) : this.#clock.format(time);
  }

  dayAndTime(time: number): string {
    return this.#dayAndTime.format(time);
  }

  /** Nothing left to guess: in the operator's time zone and in UTC. */
  full(time: number): string {
    if (Number.isNaN(time)) return UNKNOWN;
    return `${this.#full.format(time)}\n${new Date(time).toISOString()}`;
  }

  #isSameDay(time: number, now: number): boolean {
    if (Number.isNaN(now)) return false;
    return this.#day.format(time) === this.#day.format(now) && Math.abs(time - now) < 2 * DAY;
  }

  #unit(unit: string, value: number): string {
    return this.#units.get(unit)!.format(value);
  }
}
