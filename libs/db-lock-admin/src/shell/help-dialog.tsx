import type { Access } from '../api/contract';
import type { MessageKey } from '../language/catalogue';
import { useLanguage } from '../language/language';
import { Dialog, type DialogState } from '../ui/dialog';
import { useMay } from './session';
import classes from './shell.module.css';

const KEYS: readonly [MessageKey, readonly string[], Access?][] = [
  ['keys.search', ['/']],
  ['keys.create', ['n'], 'edit'],
  ['keys.next', ['j']],
  ['keys.previous', ['k']],
  ['keys.open', ['Enter']],
  ['keys.select', ['x'], 'release'],
  ['keys.refresh', ['r']],
  ['keys.list', ['g', 'l']],
  ['keys.overview', ['g', 'o']],
  ['keys.help', ['?']],
];

export function HelpDialog(state: DialogState) {
  const { t } = useLanguage();
  const may = { view: true, release: useMay('release'), edit: useMay('edit') };
  return (
    <Dialog {...state} title={t('keys.title')} size={420}>
      <table className={classes.keys}>
        <tbody>
          {KEYS.filter(([, , access = 'view']) => may[access]).map(([label, keys]) => (
            <tr key={label}>
              <th scope="row">{t(label)}</th>
              <td>
                {keys.map((key, index) => (
                  <span key={key}>
                    {index > 0 && ` ${t('keys.then')} `}
                    <kbd className={classes.key}>{key}</kbd>
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
