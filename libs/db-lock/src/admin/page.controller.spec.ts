import { describe, expect, it } from '@jest/globals';
import { baseOf } from './page.controller.js';

describe("The page's base", () => {
  it.each([
    ['/dblock/admin', './admin/'],
    ['/dblock/admin/', './'],
    ['/a/b/dblock/admin?search=x/', './admin/'],
    ['/dblock/admin/?search=x', './'],
    ['/dblock/ADMIN', './ADMIN/'],
    ['/dblock/%61dmin', './%61dmin/'],
    ['http://locks.example.com/dblock/admin', './admin/'],
    ['/dblock/admin;session=1', './admin/'],
    ['/dblock/admin/;session=1', './'],
    ['/dblock/admin"><script>', './admin/'],
    ["/dblock/admin'onload='", './admin/'],
    ['/dblock/admin&quot;', './admin/'],
    ['', './'],
  ])('at %s is %s', (url, base) => {
    expect(baseOf(url)).toBe(base);
  });
});
