import base from './jest.config.js';

/** The fault tests alone, and for longer: DB_LOCK_FAULT_SECONDS says how long each storm blows. */
process.env.DB_LOCK_FAULT_SECONDS ??= '180';

export default { ...base, testRegex: 'test/faults/.*\\.spec\\.ts$' };
