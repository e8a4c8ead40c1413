import { CloseButton } from '@mantine/core';
import { useLanguage } from '../language/language';
import { navigate } from '../shell/route';
import { Icon } from '../ui/icon';
import { Name } from '../ui/name';
import classes from './list.module.css';
import { viewHref, type ListView } from './list-view';

/** `orders:eu:` is `orders:` and, below it, `eu:`. */
function stepsOf(prefix: string): { text: string; prefix: string }[] {
  let whole = '';
  return (prefix.match(/[^:]*:|[^:]+$/g) ?? []).map((text) => {
    whole += text;
    return { text, prefix: whole };
  });
}

/** Where in the groups the list is, with the way back up. */
export function PrefixTrail({ view }: { view: ListView }) {
  const { t } = useLanguage();
  const steps = stepsOf(view.prefix);
  return (
    <nav className={classes.trail} aria-label={t('groups.trail')}>
      <ol>
        <li>
          <a href={viewHref(view, { prefix: '' })}>{t('groups.all')}</a>
        </li>
        {steps.map((step, index) => (
          <li key={step.prefix}>
            <Icon name="chevronRight" size={12} />
            {index === steps.length - 1 ? (
              <span aria-current="location">
                <Name value={step.text} />
              </span>
            ) : (
              <a href={viewHref(view, { prefix: step.prefix })}>
                <Name value={step.text} />
              </a>
            )}
          </li>
        ))}
      </ol>
      <CloseButton
        size="sm"
        aria-label={t('groups.clear')}
        data-tip={t('groups.clear')}
        onClick={() => {
          navigate(viewHref(view, { prefix: '' }));
        }}
      />
    </nav>
  );
}
