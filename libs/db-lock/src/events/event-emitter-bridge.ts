import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { LOCK_EVENTS } from '../module/private-tokens.js';
import type { LockEvents } from './lock-events.js';

/** As much of an EventEmitter2 as is needed. */
interface Emitter {
  emit(event: string, payload: object): unknown;
  emitAsync(event: string, payload: object): Promise<unknown>;
}

/**
 * Tells each lock event to the application's EventEmitter2 as well, as `db-lock.<type>`, with the event, whose `feature`
 * says whose lock it is, as the payload:
 *
 *     @OnEvent('db-lock.lost')
 *     onLost(event: LockEvent<'lost'>) { … }
 *
 * Where the application has no EventEmitterModule, nothing happens, and the package need not be there.
 */
@Injectable()
export class EventEmitterBridge implements OnModuleInit {
  constructor(
    @Inject(LOCK_EVENTS) private readonly events: LockEvents,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {}

  onModuleInit(): void {
    const emitter = this.#emitter();
    if (emitter) this.events.events$.subscribe((event) => void emitter.emit(`db-lock.${event.type}`, event));
  }

  /** Found by what it is, not by its class: importing that would load a package which the application may not use. */
  #emitter(): Emitter | undefined {
    return [...this.modules.values()]
      .filter(({ metatype }) => metatype.name === 'EventEmitterModule')
      .flatMap(({ providers }) => [...providers.values()])
      .map(({ instance }): unknown => instance)
      .find(isEmitter);
  }
}

function isEmitter(instance: unknown): instance is Emitter {
  const { emit, emitAsync } = (instance ?? {}) as Partial<Emitter>;
  return typeof emit === 'function' && typeof emitAsync === 'function';
}
