import { createHash } from 'node:crypto';
import { MAX_TTL } from '../lease/duration.js';
import { VERSION } from './entry.js';

/** What can be done with the key of a lock. */
export type Step = keyof typeof STEPS;

/**
 * A step is done at once, with nothing in between, but may be done long after it was sent: by a Redis that stood still
 * meanwhile. Whatever is written is therefore to end at a moment of Redis's own clock at the latest, not only after so
 * many milliseconds. Each step returns that clock first, in milliseconds.
 *
 * KEYS: 1 the key. ARGV: 1 the step, then what the step says.
 */
const PRELUDE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- How long an entry may live: for so long, and not beyond that moment.
local function life(milliseconds, latest)
  return math.floor(math.min(tonumber(milliseconds), tonumber(latest) - now))
end

-- The grantId and the token of the entry; nothing when there is none, or something else.
local function read()
  local value = redis.pcall('GET', KEYS[1])
  if type(value) ~= 'string' then return end
  local token, grantId = value:match('^${VERSION.replaceAll('-', '%-')} (%d+) (%S+) ')
  return grantId, tonumber(token)
end
`;

const STEPS = {
  /*
   * Sets the entry if the key is free; else returns what the key holds and for how long: that is only ever taken for a
   * refusal, and only when it is somebody else's entry.
   *
   * ARGV: 2 the entry, 3 milliseconds, 4 the latest end.
   */
  claim: `
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'string' then return {now, value, redis.call('PTTL', KEYS[1])} end
local milliseconds = life(ARGV[3], ARGV[4])
if value == false and milliseconds > 0 then redis.call('SET', KEYS[1], ARGV[2], 'PX', milliseconds) end
return {now}`,

  /*
   * Sets the entry whatever the key holds, but for an entry with a larger token: that one's lease came later, however
   * late its news arrived. An entry that lives for ever, or longer than any lease, is nobody's. An entry that is over
   * by now ends the claim that came before it.
   *
   * ARGV: 2 the entry, 3 its token, 4 milliseconds, 5 the latest end, 6 the grantId of the only entry that may be
   * replaced, or nothing.
   */
  hold: `
local grantId, token = read()
if ARGV[6] ~= '' and ARGV[6] ~= grantId then return {now} end
local milliseconds = life(ARGV[4], ARGV[5])
if milliseconds <= 0 then
  if token == 0 then redis.call('DEL', KEYS[1]) end
  return {now}
end
local left = redis.call('PTTL', KEYS[1])
if grantId and token > tonumber(ARGV[3]) and left > 0 and left <= ${MAX_TTL} then return {now} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', milliseconds)
return {now}`,

  /*
   * Removes the entry of a lease that has ended, never that of the lease after it. A claim and hearsay go too, whosever
   * they are: what they say may be about the lease that has ended, and asking the database once more is cheap.
   *
   * ARGV: 2 the grantId.
   */
  end: `
local grantId, token = read()
if grantId == ARGV[2] or token == 0 then redis.call('DEL', KEYS[1]) end
return {now}`,

  /*
   * Removes exactly one entry: another one, or a newer one of the same grant, stays.
   *
   * ARGV: 2 the grantId, 3 the token.
   */
  refute: `
local grantId, token = read()
if grantId == ARGV[2] and token == tonumber(ARGV[3]) then redis.call('DEL', KEYS[1]) end
return {now}`,
};

const steps = Object.entries(STEPS).map(([step, body]) => `if ARGV[1] == '${step}' then${body}\nend\n`);

/** All steps, in one script: a Redis that knows it for the claim knows it for what comes after, in the same order. */
export const SCRIPT = PRELUDE + steps.join('');

/** The name under which Redis remembers the script. */
export const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');
