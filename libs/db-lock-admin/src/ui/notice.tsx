import { useEffect, useRef, type ReactNode } from 'react';
import { Icon, type IconName } from './icon';
import classes from './notice.module.css';

type Tone = 'info' | 'warning' | 'danger';

const ICONS: Record<Tone, IconName> = { info: 'clock', warning: 'alert', danger: 'alert' };

interface NoticeProps {
  tone: Tone;
  title?: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
  /** Spoken at once when it appears. */
  urgent?: boolean;
  /** Takes the focus when it appears: in a dialog, what had it may be of no use any more. */
  takesFocus?: boolean;
}

export function Notice({ tone, title, children, actions, urgent = false, takesFocus = false }: NoticeProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (takesFocus) box.current?.focus();
  }, [takesFocus]);
  return (
    <div
      ref={box}
      className={classes.notice}
      data-tone={tone}
      role={urgent ? 'alert' : undefined}
      tabIndex={takesFocus ? -1 : undefined}
    >
      <span className={classes.icon}>
        <Icon name={ICONS[tone]} />
      </span>
      <div className={classes.text}>
        {title !== undefined && <div className={classes.title}>{title}</div>}
        {children}
      </div>
      {actions !== undefined && <div className={classes.actions}>{actions}</div>}
    </div>
  );
}
