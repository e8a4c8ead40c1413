import { describe, expect, it } from '@jest/globals';
import { isFromElsewhere } from './same-site.guard.js';

const host = 'locks.example.com';
const own = { host, origin: `https://${host}` };

describe('Whether a page of another site has sent a request', () => {
  it.each([
    ['a program', { host }, false],
    ['our page', { host, 'sec-fetch-site': 'same-origin' }, false],
    ['a person, by the address bar', { host, 'sec-fetch-site': 'none' }, false],
    ['a page of another site', { host, 'sec-fetch-site': 'cross-site' }, true],
    ['a page of a neighbour', { host, 'sec-fetch-site': 'same-site' }, true],
    ['a page of another site that knows our origin', { ...own, 'sec-fetch-site': 'cross-site' }, true],
    [
      'our page behind a proxy that renames us',
      { host: 'pod-7', origin: own.origin, 'sec-fetch-site': 'same-origin' },
      false,
    ],
    ['whatever comes next', { ...own, 'sec-fetch-site': 'next-door' }, true],
  ])('%s, as the browser says it', (_, headers, elsewhere) => {
    expect(isFromElsewhere(headers)).toBe(elsewhere);
  });

  it.each([
    ['our page', own, false],
    ['our page on a port', { host: '10.0.0.7:3000', origin: 'http://10.0.0.7:3000' }, false],
    ['our page, the port written out', { host: `${host}:443`, origin: own.origin }, false],
    ['our page, in capitals', { host: 'LOCKS.example.com', origin: own.origin }, false],
    ['our page on IPv6', { host: '[::1]:3000', origin: 'http://[::1]:3000' }, false],
    ['our page over HTTP/2', { ':authority': host, origin: own.origin }, false],
    ['our page behind a proxy', { host: 'pod-7:3000', 'x-forwarded-host': host, origin: own.origin }, false],
    [
      'our page behind two proxies',
      { host: 'pod-7', 'x-forwarded-host': `${host}, inner`, origin: own.origin },
      false,
    ],
    ['a page of another site', { host, origin: 'https://evil.example.com' }, true],
    ['a page of a site called alike', { host, origin: `https://${host}.evil.example.com` }, true],
    ['a page on another port', { host: `${host}:3000`, origin: `http://${host}:8080` }, true],
    [
      'a page behind the inner proxy only',
      { host, 'x-forwarded-host': `${host}, pod-7`, origin: 'https://pod-7' },
      true,
    ],
    ['a page that hides itself', { host, origin: 'null' }, true],
    ['a page without a name', { host, origin: 'file://' }, true],
    ['a page, to nobody', { origin: own.origin }, true],
    ['a page, to a host without a name', { host: '', origin: 'file://' }, true],
    ['nonsense', { host, origin: 'https://' }, true],
  ])('%s, by its origin', (_, headers, elsewhere) => {
    expect(isFromElsewhere(headers)).toBe(elsewhere);
  });
});
