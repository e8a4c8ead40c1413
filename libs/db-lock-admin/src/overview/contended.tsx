import type { ContendedName } from '../api/contract';
import { useLanguage } from '../language/language';
import { lockHref } from '../shell/route';
import { Name } from '../ui/name';
import classes from './overview.module.css';

/** The names that were fought over most. */
export function Contended({ names }: { names: readonly ContendedName[] }) {
  const { t, formats } = useLanguage();
  return (
    <section className={`${classes.figure} ${classes.wide}`} aria-labelledby="contended">
      <h2 id="contended">{t('overview.contended')}</h2>
      {names.length === 0 ? (
        <p className={classes.nothing}>{t('overview.noContention')}</p>
      ) : (
        <table className={classes.numbers}>
          <caption className={classes.hidden}>{t('overview.contended')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('field.lock')}</th>
              <th scope="col" data-numeric>
                {t('series.refused')}
              </th>
              <th scope="col" data-numeric>
                {t('series.waited')}
              </th>
              <th scope="col" data-numeric>
                {t('overview.waitingNow')}
              </th>
            </tr>
          </thead>
          <tbody>
            {names.map(({ lockName, refused, waited, waiting }) => (
              <tr key={lockName}>
                <th scope="row">
                  <a className={classes.link} href={lockHref(lockName)} data-row-link>
                    <Name value={lockName} truncate />
                  </a>
                </th>
                <td data-numeric>{formats.number(refused)}</td>
                <td data-numeric>{formats.number(waited)}</td>
                <td data-numeric data-hot={waiting > 0 || undefined}>
                  {formats.number(waiting)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
