import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger, type INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { createLockClient, LockClient, LockServer, StoreUnavailableError } from 'nestjs-db-lock';
import { openTelemetry } from 'nestjs-db-lock/opentelemetry';
import { DbLockTestingModule, TestLocks } from 'nestjs-db-lock/testing';
import { eventually } from '../../libs/db-lock/src/testing/context.js';
import { listen } from '../support/lock-application.js';
import { Tracing } from '../support/tracing.js';

const idOf = (span: ReadableSpan) => span.spanContext().spanId;
const linked = (span: ReadableSpan) => span.links.map((link) => link.context.spanId);

describe('What OpenTelemetry is told of locks in spans', () => {
  let tracing: Tracing;
  let app: INestApplication;
  let client: LockClient;
  let server: LockServer;
  let locks: TestLocks;

  beforeEach(() => {
    tracing = new Tracing();
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
  });

  afterEach(async () => {
    await app.close();
    tracing[Symbol.dispose]();
    jest.restoreAllMocks();
  });

  const telemetry = () => openTelemetry({ metrics: false, tracerProvider: tracing.tracerProvider });

  async function start(platform = new FastifyAdapter() as FastifyAdapter | ExpressAdapter) {
    const module = await Test.createTestingModule({
      imports: [
        DbLockTestingModule.forRoot({
          telemetry: telemetry(),
          workerName: 'ann',
          autoRegisterServices: true,
          public: true,
        }),
      ],
    }).compile();
    app = module.createNestApplication(platform, { logger: ['error', 'fatal'] });
    client = app.get(LockClient);
    server = app.get(LockServer);
    locks = app.get(TestLocks);
  }

  /** The only span of a name. */
  function only(name: string): ReadableSpan {
    const spans = tracing.spans(name);
    expect(spans).toHaveLength(1);
    return spans[0]!;
  }

  describe('in one process', () => {
    beforeEach(async () => {
      await start();
      await app.init();
    });

    it('an acquire, the time that the lease is held, and its release, side by side in the trace of the caller', async () => {
      let fencingToken: number | undefined;
      await tracing.inTrace('send invoice', async () => {
        await client.withLock('invoice:42', { mode: 'shared' }, async (lease) => {
          fencingToken = lease.fencingToken;
        });
      });
      const caller = only('send invoice');
      const names = ['lock.acquire', 'lock.release', 'lock.hold'];
      expect(tracing.spans().map(({ name }) => name)).toEqual([...names, 'send invoice']);
      for (const span of names.map(only)) {
        expect(span.parentSpanContext?.spanId).toBe(idOf(caller));
        expect(span.kind).toBe(SpanKind.INTERNAL);
        expect(span.status.code).toBe(SpanStatusCode.UNSET);
        expect(span.attributes).toMatchObject({
          'db_lock.feature': 'dblock',
          'db_lock.lock_name': 'invoice:42',
          'db_lock.worker_name': 'ann',
          'db_lock.mode': 'shared',
        });
      }
      expect(only('lock.acquire').attributes).toMatchObject({
        'db_lock.outcome': 'granted',
        'db_lock.wait': 0,
      });
      expect(only('lock.release').attributes).toMatchObject({ 'db_lock.outcome': 'released' });
      expect(only('lock.hold').attributes['db_lock.fencing_token']).toBe(fencingToken);
    });

    it('takes a refusal for an answer, and a failure for one', async () => {
      await locks.elsewhere.acquire('job');
      expect(await client.tryAcquire('job')).toBeNull();
      await expect(client.acquire('job')).rejects.toThrow();
      for (const span of tracing.spans('lock.acquire')) {
        expect(span.attributes['db_lock.outcome']).toBe('busy');
        expect(span.status.code).toBe(SpanStatusCode.UNSET);
      }
      expect(tracing.spans('lock.acquire')).toHaveLength(2);
      jest.spyOn(locks.store, 'acquire').mockRejectedValue(new StoreUnavailableError('away'));
      await expect(client.acquire('other')).rejects.toThrow('away');
      const failed = tracing.spans('lock.acquire').at(-1)!;
      expect(failed.attributes).toMatchObject({
        'db_lock.outcome': 'error',
        'error.type': 'STORE_UNAVAILABLE',
      });
      expect(failed.status).toEqual({ code: SpanStatusCode.ERROR, message: 'away' });
    });

    it('a caller who gives up is no failure', async () => {
      await locks.elsewhere.acquire('job');
      const giveUp = new AbortController();
      const waiting = client.acquire('job', { wait: '1h', signal: giveUp.signal });
      giveUp.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      expect(only('lock.acquire').attributes['db_lock.outcome']).toBe('abandoned');
      expect(only('lock.acquire').status.code).toBe(SpanStatusCode.UNSET);
    });

    it('ends the hold of a lost lease, and says why it was lost', async () => {
      await client.acquire('job', { ttl: '1m' });
      await locks.advance('2m');
      const hold = only('lock.hold');
      expect(hold.attributes['db_lock.reason']).toBe('deadline');
      expect(hold.status.code).toBe(SpanStatusCode.ERROR);
    });

    it('the acquire of a set has its names, and each lease is held by itself', async () => {
      const set = await client.acquireAll(['one', 'two']);
      await set.release();
      expect(only('lock.acquire').attributes['db_lock.lock_name']).toEqual(['one', 'two']);
      const held = tracing.spans('lock.hold').map(({ attributes }) => attributes['db_lock.lock_name']);
      expect(held.toSorted()).toEqual(['one', 'two']);
    });

    it('links who has waited to what has freed the lock', async () => {
      const lease = await client.acquire('job');
      const waiting = tracing.inTrace('waiter', () => client.acquire('job', { wait: '1h' }));
      await eventually(async () => (await client.inspect('job'))!.waiting === 1);
      await tracing.inTrace('releaser', () => lease.release());
      await waiting;
      const [first, waited] = tracing.spans('lock.acquire');
      const release = only('lock.release');
      expect(linked(waited!)).toEqual([idOf(release)]);
      expect(waited!.spanContext().traceId).not.toBe(release.spanContext().traceId);
      expect(first!.links).toEqual([]);
    });

    it('links nobody to a release from before they came', async () => {
      await (await client.acquire('job')).release();
      await client.acquire('job', { wait: '1h' });
      expect(tracing.spans('lock.acquire').map(linked)).toEqual([[], []]);
    });

    it('links who waited until an operator or a downgrade let them in', async () => {
      await client.acquire('job', { ttl: '1h' });
      const waiting = client.acquire('job', { wait: '1h' });
      await eventually(async () => (await client.inspect('job'))!.waiting === 1);
      await tracing.inTrace('operator', () =>
        server.desk.forceRelease({ lockName: 'job', actor: 'eve', reason: 'it hangs' }),
      );
      await waiting;
      expect(linked(tracing.spans('lock.acquire')[1]!)).toEqual([idOf(only('operator'))]);

      const lease = await client.acquire('pages', { ttl: '1h' });
      const reader = client.acquire('pages', { mode: 'shared', wait: '1h' });
      await eventually(async () => (await client.inspect('pages'))!.waiting === 1);
      await tracing.inTrace('downgrade', () => lease.downgrade());
      await reader;
      expect(linked(tracing.spans('lock.acquire').at(-1)!)).toEqual([idOf(only('downgrade'))]);
    });
  });

  it('is told by default where an SDK is registered, and not where none is', async () => {
    const spansOf = (feature: string) => openTelemetry().client(feature).traces;
    await start();
    expect(spansOf('before')).toBeUndefined();
    trace.setGlobalTracerProvider(tracing.tracerProvider);
    expect(spansOf('after')).toBeDefined();
    expect(openTelemetry({ traces: false }).client('off').traces).toBeUndefined();
    trace.disable();
  });

  describe('over HTTP', () => {
    const ofKind = (name: string, kind: SpanKind) => tracing.spans(name).filter((span) => span.kind === kind);

    it("the server's steps belong to the trace of the client's", async () => {
      await start();
      const apiServer = `${await listen(app)}/dblock`;
      await using remote = await createLockClient({ apiServer, telemetry: telemetry(), workerName: 'bob' });
      await tracing.inTrace('send invoice', () => remote.withLock('invoice:42', async () => undefined));
      const caller = only('send invoice');
      for (const name of ['lock.acquire', 'lock.release']) {
        const [ours] = ofKind(name, SpanKind.CLIENT);
        const [theirs] = ofKind(name, SpanKind.SERVER);
        expect(ours!.parentSpanContext?.spanId).toBe(idOf(caller));
        expect(theirs!.parentSpanContext?.spanId).toBe(idOf(ours!));
        expect(theirs!.parentSpanContext?.isRemote).toBe(true);
        expect(theirs!.spanContext().traceId).toBe(caller.spanContext().traceId);
        expect(theirs!.attributes['db_lock.lock_name']).toBe('invoice:42');
      }
      expect(only('lock.hold').parentSpanContext?.spanId).toBe(idOf(caller));
    });

    it('and so does what waits there, with what freed the lock, and a set', async () => {
      await start();
      const apiServer = `${await listen(app)}/dblock`;
      await using remote = await createLockClient({ apiServer, telemetry: telemetry() });
      const lease = await remote.acquire('job');
      const waiting = tracing.inTrace('waiter', () => remote.acquire('job', { wait: '1h' }));
      await eventually(async () => (await remote.inspect('job'))!.waiting === 1);
      await tracing.inTrace('releaser', () => lease.release());
      await waiting;
      await remote.acquireAll(['one', 'two']);
      const [, waited, set] = ofKind('lock.acquire', SpanKind.SERVER);
      const [release] = ofKind('lock.release', SpanKind.SERVER);
      expect(linked(waited!)).toEqual([idOf(release!)]);
      expect(waited!.spanContext().traceId).toBe(only('waiter').spanContext().traceId);
      expect(release!.spanContext().traceId).toBe(only('releaser').spanContext().traceId);
      const [, , theirSet] = ofKind('lock.acquire', SpanKind.CLIENT);
      expect(set!.parentSpanContext?.spanId).toBe(idOf(theirSet!));
    });

    /** Called with what comes in over HTTP, before it is heard. */
    const onRequest = (
      hear: (request: { url: string; headers: Record<string, unknown> }) => void | Promise<void>,
    ) => {
      const fastify = app.getHttpAdapter().getInstance() as {
        addHook(name: 'onRequest', hook: (request: Parameters<typeof hear>[0]) => Promise<void>): void;
      };
      fastify.addHook('onRequest', async (request) => hear(request));
    };

    it('and so does what has queued in the client behind others', async () => {
      await start();
      let held = 0;
      let letIn!: () => void;
      const opening = new Promise<void>((resolve) => (letIn = resolve));
      onRequest(({ url }) => {
        if (!url.includes('/held-')) return undefined;
        held++;
        return opening;
      });
      const apiServer = `${await listen(app)}/dblock`;
      await using remote = await createLockClient({ apiServer, telemetry: telemetry() });
      const acquire = (name: string) => tracing.inTrace(name, () => remote.acquire(name));
      const asked: Array<Promise<unknown>> = [];
      // As many as the client has under way at once: the next one is sent when one of them has been answered.
      for (let number = 1; number <= 4; number++) {
        asked.push(acquire(`held-${number}`));
        await eventually(() => held === number);
      }
      asked.push(acquire('queued'));
      letIn();
      await Promise.all(asked);
      const queued = ofKind('lock.acquire', SpanKind.SERVER).find(
        ({ attributes }) => attributes['db_lock.lock_name'] === 'queued',
      );
      expect(queued!.spanContext().traceId).toBe(only('queued').spanContext().traceId);
    });

    it('also of who asks while others do: nobody gets into a trace of somebody else', async () => {
      await start();
      const bulks: unknown[] = [];
      onRequest(({ url, headers }) => {
        if (url.endsWith('/leases')) bulks.push(headers['traceparent']);
      });
      const apiServer = `${await listen(app)}/dblock`;
      await using remote = await createLockClient({ apiServer, telemetry: telemetry() });
      const names = Array.from({ length: 30 }, (_, index) => `job:${index}`);
      await Promise.all(
        names.map(async (name, index) => {
          // Some together, in bulks, some by themselves.
          for (let turn = 0; turn < (index % 5) * 7; turn++) await Promise.resolve();
          await tracing.inTrace(name, async () => {
            await (await remote.acquire(name)).release();
          });
        }),
      );
      const tracesOf = new Map(names.map((name) => [name, only(name).spanContext().traceId]));
      const told = tracing.spans('lock.acquire').concat(tracing.spans('lock.release'));
      expect(told.length).toBeGreaterThanOrEqual(60);
      expect(new Set(bulks)).toEqual(new Set([undefined]));
      for (const { attributes, spanContext } of told.map((span) => ({
        ...span,
        spanContext: span.spanContext(),
      })))
        expect(spanContext.traceId).toBe(tracesOf.get(attributes['db_lock.lock_name'] as string));
    });

    it('is within the span of the request, where HTTP itself is traced', async () => {
      await start(new ExpressAdapter());
      app.use((_request: unknown, _response: unknown, next: () => void) => {
        const span = tracing.tracerProvider.getTracer('http').startSpan('request');
        context.with(trace.setSpan(context.active(), span), next);
        span.end();
      });
      const origin = await listen(app);
      const response = await fetch(`${origin}/dblock/locks/job/lease`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ttl: '1m' }),
      });
      expect(response.status).toBe(201);
      const span = only('lock.acquire');
      expect(span.kind).toBe(SpanKind.INTERNAL);
      expect(span.parentSpanContext?.spanId).toBe(idOf(only('request')));
    });

    it('begins a trace for callers who have none', async () => {
      await start();
      const origin = await listen(app);
      await fetch(`${origin}/dblock/locks/job/lease`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', traceparent: 'nonsense' },
        body: JSON.stringify({ ttl: '1m' }),
      });
      expect(only('lock.acquire').parentSpanContext).toBeUndefined();
    });
  });
});
