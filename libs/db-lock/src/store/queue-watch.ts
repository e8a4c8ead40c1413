import { Timer } from '../lease/timer.js';
import { monotonicNow } from '../lease/clock.js';
import type { WakeUpListener } from './wait-queue.js';

/** The pause between two looks, in milliseconds: the shortest after something came free, each next one longer. */
const PAUSE = { shortest: 5, growth: 1.25, longest: 25 };

/** Looks at the queues for one server, where the database notifies nobody: time and again, while somebody waits there. */
export class QueueWatch {
  #listener?: WakeUpListener;
  #pause = PAUSE.shortest;
  #looking = false;
  #waiting = false;
  readonly #timer = new Timer(() => void this.#look());

  /** @param look finds the free locks that somebody on the server is the first to wait for. May fail: the next look makes up for it */
  constructor(private readonly look: (server: string) => Promise<string[]>) {}

  start(listener: WakeUpListener): void {
    this.#listener = listener;
    listener.onMode('look');
    this.#lookLater();
  }

  /** Whether anybody on the server stands in a queue. */
  setWaiting(waiting: boolean): void {
    this.#waiting = waiting;
    if (!waiting) return;
    this.#pause = PAUSE.shortest;
    this.#lookLater();
  }

  stop(): void {
    this.#listener = undefined;
    this.#timer.stop();
  }

  #lookLater(): void {
    if (this.#listener && this.#waiting && !this.#looking) this.#timer.set(monotonicNow() + this.#pause);
  }

  async #look(): Promise<void> {
    this.#looking = true;
    const { server } = this.#listener!;
    const freed = await this.look(server).catch((): string[] => []);
    this.#looking = false;
    this.#pause = freed.length > 0 ? PAUSE.shortest : Math.min(this.#pause * PAUSE.growth, PAUSE.longest);
    for (const lockName of freed) this.#listener?.onWakeUp({ server, lockName });
    this.#lookLater();
  }
}
