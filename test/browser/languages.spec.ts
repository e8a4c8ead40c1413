import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AdminScene } from '../admin/scene.js';
import { describeWithBrowser } from '../support/browser.js';
import { catalogues, formsOf, patternOf } from './catalogues.js';
import { Operator } from './operator.js';
import { furnish, PLACES, sayIn } from './places.js';

const en = catalogues.get('en')!;
const others = [...catalogues.keys()].filter((tag) => tag !== 'en');

/** The texts of the page that anybody can see or hear, but for names that somebody has chosen. */
const TEXTS = `[
  ...document.body.innerText.split('\\n'),
  ...['aria-label', 'placeholder', 'data-tip', 'title', 'alt'].flatMap((name) =>
    [...document.querySelectorAll('[' + name + ']')].map((element) => element.getAttribute(name)),
  ),
].map((text) => text.trim()).filter((text) => text !== '')`;

describe.each(others)('The catalogue of %s', (tag) => {
  const catalogue = catalogues.get(tag)!;
  const placeholders = (form: string) => [...new Set(form.match(/\{\w+\}/g))].sort();

  it('says what the English one says, and no more', () => {
    expect(Object.keys(catalogue).sort()).toEqual(Object.keys(en).sort());
  });

  it.each(Object.keys(en))('has the placeholders of %s, and a form for each plural', (key) => {
    const [english, message] = [en[key]!, catalogue[key]!];
    const { other } = typeof english === 'string' ? { other: english } : english;
    for (const form of formsOf(message)) expect(placeholders(form)).toEqual(placeholders(other!));
    expect(typeof message).toBe(typeof english);
    if (typeof message !== 'string') {
      const { pluralCategories } = new Intl.PluralRules(tag).resolvedOptions();
      expect(Object.keys(message)).toEqual(expect.arrayContaining(pluralCategories));
    }
    for (const form of formsOf(message)) expect(form.trim()).not.toBe('');
  });
});

describeWithBrowser('In another language', (browser) => {
  let scene: AdminScene;
  let empty: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.inMemory();
    await furnish(scene);
    empty = await AdminScene.open();
  });
  afterAll(async () => {
    await scene.service.close();
    await empty.service.close();
  });

  describe.each(others)('%s,', (tag) => {
    const catalogue = catalogues.get(tag)!;
    /** Messages that say the same in both languages, or in which nothing but placeholders stands, tell nothing. */
    const english = Object.entries(en)
      .filter(
        ([key, message]) =>
          key !== 'language.name' && JSON.stringify(message) !== JSON.stringify(catalogue[key]),
      )
      .filter(([, message]) =>
        formsOf(message).every((form) => /[a-z]{2}/i.test(form.replaceAll(/\{\w+\}/g, ''))),
      )
      .map(([key, message]) => ({ key, pattern: patternOf(message) }));
    const leftOver = (texts: string[]) =>
      texts.flatMap((text) => {
        const said = english.find(({ pattern }) => pattern.test(text));
        return said || text in en ? [`${said?.key ?? 'a key'}: ${text}`] : [];
      });

    const look = async (operator: Operator, place: string) => {
      const texts = await operator.page.evaluate<string[]>(TEXTS);
      expect(texts.length).toBeGreaterThan(5);
      expect({ place, leftOver: leftOver(texts) }).toEqual({ place, leftOver: [] });
    };

    it('nothing is said in English', async () => {
      const operator = await Operator.arrive(browser, scene, { locale: tag });
      for (const [place, enter] of Object.entries(PLACES)) {
        await enter(operator, sayIn(tag));
        await look(operator, place);
      }
    });

    it('nothing is said in English while there is no lock', async () => {
      const say = sayIn(tag);
      const operator = await Operator.arrive(browser, empty, { locale: tag });
      await operator.sees(say('empty.title'));
      await look(operator, 'the empty list');
      await operator.moveTo('/overview');
      await operator.sees(say('overview.noContention'));
      await look(operator, 'the empty overview');
    });

    it('a page in English would be noticed', async () => {
      const operator = await Operator.arrive(browser, scene);
      await operator.link('orders:eu:42').waitFor();
      const found = leftOver(await operator.page.evaluate<string[]>(TEXTS));
      expect(found).toEqual(
        expect.arrayContaining(['nav.overview: Overview', 'list.search: Search locks and workers']),
      );
    });
  });
});
