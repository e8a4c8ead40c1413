import { tableOf } from './table.js';

/**
 * What a scenario has found, in Markdown.
 *
 * @param {Pick<import('../contest/stage.js').Scenario, 'title' | 'text'>} scenario
 * @param {import('../contest/stage.js').Outcome} outcome
 */
export const outcomeText = ({ title, text }, { sections }) =>
  `## ${title}\n\n${text}\n${sections.map(sectionText).join('')}`;

/** How the systems are configured, each told once. @param {import('../contest/contender.js').Description[]} systems */
export function settingsText(systems) {
  const settings = new Map(systems.map((system) => [system.name, system.settings]));
  return [...settings].map(([name, text]) => `- ${name}: ${text}\n`).join('');
}

/** @param {import('../contest/stage.js').Section} section */
function sectionText({ title, columns, rows }) {
  const failures = rows.filter(({ errors }) => errors > 0).map(({ name, errors }) => `${name} ${errors}`);
  const note = failures.length > 0 ? `\nErrors: ${failures.join(', ')}.\n` : '';
  return `\n### ${title}\n\n${tableOf(columns, rows)}${note}`;
}
