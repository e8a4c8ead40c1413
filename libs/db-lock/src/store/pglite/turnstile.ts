/** Lets one in at a time, first come first served. */
export class Turnstile {
  private readonly queue: Array<() => void> = [];
  private occupied = false;

  /**
   * Waits for its turn.
   * @param patience milliseconds to wait at most; 0 is for ever
   * @returns what to call, once, at the end of the turn
   * @throws Error when patience ran out
   */
  enter(patience = 0): Promise<() => void> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const admit = () => {
        clearTimeout(timer);
        resolve(() => this.leave());
      };
      if (!this.occupied) {
        this.occupied = true;
        return admit();
      }
      this.queue.push(admit);
      if (patience === 0) return;
      timer = setTimeout(() => {
        this.queue.splice(this.queue.indexOf(admit), 1);
        reject(
          new Error(
            `Waited ${patience} ms in vain for the embedded database. It has one session, and somebody else holds ` +
              'it: most likely a transaction that waits for this very request.',
          ),
        );
      }, patience);
    });
  }

  private leave(): void {
    const next = this.queue.shift();
    if (next) next();
    else this.occupied = false;
  }
}
