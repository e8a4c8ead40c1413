/** A text with `{placeholders}`; one that depends on a number has a form for each plural category, chosen by `count`. */
export type Message = string | PluralMessage;
export type PluralMessage = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
export type Messages = Record<string, Message>;
export type Values = Record<string, string | number>;

type Part = { text: string } | { placeholder: string };

/** The form of the message for these values. */
export function formOf(message: Message, values: Values, plurals: Intl.PluralRules): string {
  if (typeof message === 'string') return message;
  return message[plurals.select(Number(values.count))] ?? message.other;
}

/** `Freed {name}.` is the text `Freed `, the placeholder `name` and the text `.` */
export function partsOf(form: string): Part[] {
  return form
    .split(/\{(\w+)\}/)
    .map((piece, index) => (index % 2 === 0 ? { text: piece } : { placeholder: piece }));
}
