import { expect, it } from '@jest/globals';
import { workerNameSchema } from './names.js';
import { defaultWorkerName } from './worker.js';

it('a default worker name says host, process and instance, and is another one each time', () => {
  expect(defaultWorkerName()).toMatch(new RegExp(`^.+:${process.pid}:[0-9a-f]{8}$`));
  expect(defaultWorkerName()).not.toBe(defaultWorkerName());
  expect(workerNameSchema.safeParse(defaultWorkerName()).success).toBe(true);
});
