import { useEffect } from 'react';
import { visibleText } from '../ui/visible-text';
import { useSession } from './session';

/** What the browser's tab and history say. */
export function usePageTitle(title: string): void {
  const { feature } = useSession();
  useEffect(() => {
    document.title = `${visibleText(title)} · ${feature}`;
  }, [title, feature]);
}
