/**
 * The database's time, as this page knows it: an offset to the monotonic clock, because the browser's own time may be wrong
 * and may jump.
 *
 * An answer was made between the moments of sending and receiving, so its time is known to half of what lies between; the
 * offset is kept until an answer knows it better. What is pushed only says that the clock is no earlier, which corrects it
 * after the machine slept.
 */
class ServerClock {
  #offset = NaN;
  #error = Infinity;
  #observedAt = 0;

  /** Milliseconds since 1970; NaN before the first answer. */
  now(): number {
    return performance.now() + this.#offset;
  }

  observeAnswer(body: unknown, sentAt: number): void {
    const time = serverTimeIn(body);
    if (time === null) return;
    const receivedAt = performance.now();
    const error = (receivedAt - sentAt) / 2;
    // Quartz drifts by less than 100 µs a second.
    const errorNow = this.#error + (receivedAt - this.#observedAt) * 1e-4;
    const offset = time - (sentAt + error);
    if (error > errorNow && Math.abs(offset - this.#offset) <= error + errorNow) return;
    this.#keep(offset, error, receivedAt);
  }

  observePush(serverTime: string): void {
    const time = Date.parse(serverTime);
    const receivedAt = performance.now();
    const earliest = time - receivedAt;
    if (Number.isNaN(this.#offset) || earliest > this.#offset) this.#keep(earliest, 250, receivedAt);
  }

  #keep(offset: number, error: number, observedAt: number): void {
    this.#offset = offset;
    this.#error = error;
    this.#observedAt = observedAt;
  }
}

function serverTimeIn(body: unknown): number | null {
  if (typeof body !== 'object' || body === null || !('serverTime' in body)) return null;
  const time = Date.parse(String(body.serverTime));
  return Number.isNaN(time) ? null : time;
}

export const serverClock = new ServerClock();
