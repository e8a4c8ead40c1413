import { isDeepStrictEqual } from 'node:util';
import { Agent, type Dispatcher } from 'undici';
import { until } from '../support/patience.js';
import { PATIENCE, type AdminScene } from './scene.js';

export interface LockView {
  lockName: string;
  state: string;
  workerName: string | null;
  fencingToken: number;
  expireTime: string;
  serverTime: string;
  metadata: unknown;
  waiting: number;
  mode: string | null;
  holderCount: number;
  permits?: number;
  limits?: number[];
}

export interface StreamEvent {
  type: string;
  data: { serverTime?: string; locks?: LockView[]; removed?: string[] };
}

/** Watches an admin's changes as a browser does. */
export class EventStream implements AsyncDisposable {
  readonly events: StreamEvent[] = [];
  readonly #agent: Agent;
  hasEnded = false;

  private constructor(
    agent: Agent,
    readonly headers: Dispatcher.ResponseData['headers'],
    body: Dispatcher.ResponseData['body'],
  ) {
    this.#agent = agent;
    void this.#read(body);
  }

  static async open({ service }: AdminScene, headers: Record<string, string> = {}): Promise<EventStream> {
    const agent = new Agent({ bodyTimeout: 0 });
    const response = await agent.request({
      origin: service.origin,
      path: `${new URL(service.apiServer).pathname}/admin/api/changes`,
      method: 'GET',
      headers: { accept: 'text/event-stream', ...headers },
    });
    return new EventStream(agent, response.headers, response.body);
  }

  /** One that has greeted. */
  static async greeted(scene: AdminScene, headers?: Record<string, string>): Promise<EventStream> {
    const stream = await EventStream.open(scene, headers);
    await stream.seen('a greeting', ({ type }) => type === 'hello');
    return stream;
  }

  /** Waits until such an event has come. */
  async seen(what: string, isIt: (event: StreamEvent) => boolean): Promise<StreamEvent> {
    await until(what, PATIENCE, () => this.events.some(isIt));
    return this.events.find(isIt)!;
  }

  /** Waits until a lock has been shown like this. */
  async shown(lockName: string, members: Partial<LockView>): Promise<LockView> {
    const isIt = (lock: LockView) =>
      lock.lockName === lockName &&
      Object.entries(members).every(([name, value]) =>
        isDeepStrictEqual(lock[name as keyof LockView], value),
      );
    const what = `${lockName} is shown with ${JSON.stringify(members)}`;
    const { data } = await this.seen(what, ({ data }) => data.locks?.some(isIt) ?? false);
    return data.locks!.find(isIt)!;
  }

  /** A lock as it was shown, each time. */
  views(lockName: string): LockView[] {
    return this.events.flatMap(({ data }) => data.locks ?? []).filter((lock) => lock.lockName === lockName);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #read(body: AsyncIterable<Buffer>): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop()!;
        for (const block of blocks) this.#take(block);
      }
    } catch {
      // We have hung up.
    }
    this.hasEnded = true;
  }

  #take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => {
        const colon = line.indexOf(': ');
        return [line.slice(0, colon), line.slice(colon + 2)] as const;
      }),
    );
    const data = fields.get('data');
    if (data !== undefined)
      this.events.push({
        type: fields.get('event') ?? 'message',
        data: JSON.parse(data) as StreamEvent['data'],
      });
  }
}
