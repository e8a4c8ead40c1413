import { apiAddress } from '../api/client';
import type { Changes } from '../api/contract';
import { serverClock } from './server-clock';

export type FeedState = 'connecting' | 'live' | 'down';

export interface FeedListener {
  state: (state: FeedState) => void;
  /** The stream is open again after a break: what happened meanwhile is unknown. */
  resumed: () => void;
  changes: (changes: Changes) => void;
  /** More changed than was sent. */
  readAgain: () => void;
}

/** The server ticks every 15 s; a stream that is silent for longer than this is dead, whatever the browser thinks. */
const SILENCE = 20_000;
/** A tab that nobody looks at needs no stream. */
const HIDDEN = 60_000;
const FIRST_RETRY = 1000;
const LAST_RETRY = 30_000;

/** The stream of changes: one for the page, closed while the tab is hidden, opened again with growing pauses. */
export class ChangesFeed {
  #source: EventSource | undefined;
  #retry = FIRST_RETRY;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  #wasOpen = false;

  constructor(private readonly listener: FeedListener) {}

  start(): void {
    document.addEventListener('visibilitychange', this.#onVisibility);
    this.#open();
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.#onVisibility);
    clearTimeout(this.#hiddenTimer);
    this.#close();
  }

  #open({ quietly = false } = {}): void {
    this.#close();
    if (!quietly) this.listener.state('connecting');
    const source = new EventSource(apiAddress('changes'));
    this.#source = source;
    source.addEventListener('error', () => {
      this.#failed(source);
    });
    this.#on('hello', () => {
      this.#opened();
    });
    this.#on('tick', () => undefined);
    // The server ends each stream after a while: the next one is asked for at once, which is no break worth telling of.
    source.addEventListener('again', () => {
      this.#open({ quietly: true });
    });
    this.#on<Changes>('changes', this.listener.changes);
    this.#on('many', this.listener.readAgain);
    this.#on('refresh', this.listener.readAgain);
    this.#listenForSilence();
  }

  #on<T extends { serverTime?: string }>(type: string, handle: (data: T) => void): void {
    this.#source?.addEventListener(type, (event: MessageEvent<string>) => {
      const data = JSON.parse(event.data) as T;
      if (data.serverTime !== undefined) serverClock.observePush(data.serverTime);
      this.#listenForSilence();
      this.listener.state('live');
      handle(data);
    });
  }

  #opened(): void {
    this.#retry = FIRST_RETRY;
    if (this.#wasOpen) this.listener.resumed();
    this.#wasOpen = true;
  }

  #failed(source: EventSource): void {
    this.listener.state('down');
    // Otherwise the browser itself connects again.
    if (source.readyState === EventSource.CLOSED) this.#openLater();
  }

  #openLater(): void {
    this.#close();
    this.#retryTimer = setTimeout(() => {
      this.#open();
    }, this.#retry);
    this.#retry = Math.min(this.#retry * 2, LAST_RETRY);
  }

  #listenForSilence(): void {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => {
      this.listener.state('down');
      this.#openLater();
    }, SILENCE);
  }

  #close(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#silenceTimer);
    this.#source?.close();
    this.#source = undefined;
  }

  readonly #onVisibility = () => {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) {
      this.#hiddenTimer = setTimeout(() => {
        this.#close();
        this.listener.state('connecting');
      }, HIDDEN);
    } else if (this.#source === undefined) {
      this.#open();
    }
  };
}
