import { parser } from '@prometheus-io/lezer-promql';

/** What an expression of PromQL asks for. */
export interface Asked {
  metric: string;
  labels: string[];
}

/**
 * The metrics that an expression asks for, with the labels that it picks them by, and the labels that it groups by.
 * @throws Error when it is not PromQL
 */
export function readPromql(expression: string): { asked: Asked[]; groups: string[] } {
  const asked: Asked[] = [];
  const groups: string[] = [];
  let isSelecting = false;
  parser.parse(expression).iterate({
    enter({ type, from, to }) {
      const text = expression.slice(from, to);
      if (type.isError) throw new Error(`No PromQL, at ${JSON.stringify(text)}: ${expression}`);
      if (type.name === 'VectorSelector') isSelecting = true;
      else if (type.name === 'Identifier') asked.push({ metric: text, labels: [] });
      else if (type.name === 'LabelName') {
        if (isSelecting) asked.at(-1)!.labels.push(text);
        else groups.push(text);
      }
    },
    leave({ type }) {
      if (type.name === 'VectorSelector') isSelecting = false;
    },
  });
  return { asked, groups };
}
