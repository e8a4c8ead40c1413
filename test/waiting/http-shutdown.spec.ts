import { describe, expect, it } from '@jest/globals';
import { LockService } from '../support/lock-service.js';
import { PLATFORMS } from '../support/platforms.js';
import { Desk } from './http.js';
import { uniqueName } from '../support/lock-names.js';

describe.each(PLATFORMS)('the shutdown on %s', (platform) => {
  it('answers those who wait: the server goes, which is neither busy nor free', async () => {
    const desk = new Desk(await LockService.open({ platform }));
    const [lockName, another] = [uniqueName(), uniqueName()];
    await desk.hold(lockName);
    const polls = [
      desk.poll(lockName),
      desk.poll(lockName),
      desk.pollSet('lease-sets', { lockNames: [another, lockName] }),
    ];
    await desk.queued(lockName, polls.length);
    const closing = desk.service.close();
    for (const { answer } of polls)
      expect(await answer).toEqual({
        status: 503,
        json: {
          type: 'about:blank',
          title: 'Service Unavailable',
          status: 503,
          detail: expect.any(String),
          code: 'CLIENT_CLOSED',
        },
      });
    await closing;
  });
});
