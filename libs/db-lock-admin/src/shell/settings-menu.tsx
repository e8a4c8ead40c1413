import { ActionIcon, NativeSelect, Popover, SegmentedControl, useMantineColorScheme } from '@mantine/core';
import { useId } from 'react';
import { useLanguage } from '../language/language';
import { catalogues } from '../language/languages';
import { formOf } from '../language/message';
import { Icon } from '../ui/icon';
import { visibleText } from '../ui/visible-text';
import { isNobody, useSession } from './session';
import classes from './shell.module.css';

const SCHEMES = ['auto', 'light', 'dark'] as const;

/** Appearance, language, and who the server takes the operator for. */
export function SettingsMenu() {
  const { t } = useLanguage();
  return (
    <Popover
      position="bottom-end"
      shadow="md"
      width={272}
      radius={8}
      trapFocus
      returnFocus
      transitionProps={{ duration: 0 }}
    >
      <Popover.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('settings.label')}
          data-tip={t('settings.label')}
        >
          <Icon name="gear" size={18} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <Settings />
      </Popover.Dropdown>
    </Popover>
  );
}

function Settings() {
  const { t, tag, choose, formats } = useLanguage();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { actor, access } = useSession();
  const appearance = useId();
  return (
    <div className={classes.settings}>
      <div>
        <div id={appearance} className={classes.label}>
          {t('settings.appearance')}
        </div>
        <SegmentedControl
          fullWidth
          size="sm"
          withItemsBorders={false}
          transitionDuration={0}
          aria-labelledby={appearance}
          value={colorScheme}
          data={SCHEMES.map((scheme) => ({ value: scheme, label: t(`settings.${scheme}`) }))}
          onChange={setColorScheme}
        />
      </div>
      <NativeSelect
        label={t('settings.language')}
        value={tag}
        data={[...catalogues].map(([value, catalogue]) => ({
          value,
          label: formOf(catalogue['language.name'], {}, formats.plurals),
        }))}
        onChange={(event) => {
          choose(event.currentTarget.value);
        }}
      />
      <div>
        {isNobody(actor) ? (
          <div className={classes.label}>{t('settings.nobody')}</div>
        ) : (
          <>
            <div className={classes.label}>{t('settings.you')}</div>
            <div className={classes.actor}>{visibleText(actor)}</div>
          </>
        )}
        <div className={classes.access}>{t(`access.${access}`)}</div>
      </div>
    </div>
  );
}
