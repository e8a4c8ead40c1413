const DURATION = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/;
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest TTL that the server grants: 30 days. */
const MAX_TTL = 30 * 86_400_000;

export const TTL_PRESETS = ['5m', '15m', '1h', '4h'] as const;

/** The milliseconds of `90s`, `1.5h` and the like, as the server reads them; null when it would refuse them. */
export function millisecondsOf(text: string): number | null {
  const match = DURATION.exec(text.trim());
  if (match === null) return null;
  const milliseconds = Number(match[1]) * UNITS[match[2]!]!;
  const whole = Math.round(milliseconds);
  if (Math.abs(milliseconds - whole) > 1e-6 || whole < 1 || whole > MAX_TTL) return null;
  return whole;
}
