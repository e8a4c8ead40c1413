import ms from 'ms';

/** Times as the server tells them. */
type Time = string;

/** How long ago it was, by the server's clock: `3m`. */
export const since = (time: Time, now: Time): string => ms(Math.max(0, Date.parse(now) - Date.parse(time)));

/** How long it is until then, by the server's clock: `27s`. */
export const until = (time: Time, now: Time): string => since(now, time);
