import {
  Button,
  createTheme,
  Input,
  InputWrapper,
  Menu,
  ModalRoot,
  SegmentedControl,
  type CSSVariablesResolver,
} from '@mantine/core';

/** One accent, the system's fonts, and dialogs that appear without a show. */
export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: 8,
  defaultRadius: 6,
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontFamily:
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans SC', 'PingFang SC', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
  components: {
    Button: Button.extend({
      vars: (_, { size }) =>
        size === undefined || size === 'sm'
          ? { root: { '--button-height': '32px', '--button-fz': '13px', '--button-padding-x': '12px' } }
          : { root: {} },
    }),
    Input: Input.extend({
      vars: (_, { size }) =>
        size === 'xs' ? { wrapper: {} } : { wrapper: { '--input-height': '32px', '--input-fz': '13px' } },
    }),
    InputWrapper: InputWrapper.extend({
      defaultProps: { inputWrapperOrder: ['label', 'description', 'input', 'error'] },
      vars: () => ({ label: { '--input-label-size': '13px' }, description: {}, error: {}, success: {} }),
    }),
    Menu: Menu.extend({ defaultProps: { radius: 8, transitionProps: { duration: 0 } } }),
    ModalRoot: ModalRoot.extend({
      defaultProps: {
        // Its own way to lock the scroll writes a style tag without a nonce; shell.css does it.
        lockScroll: false,
        radius: 10,
        padding: 'lg',
        transitionProps: { duration: 120, transition: 'fade' },
      },
    }),
    SegmentedControl: SegmentedControl.extend({
      vars: () => ({ root: { '--sc-font-size': '13px', '--sc-padding': '3px 10px' } }),
    }),
  },
});

/** Mantine in the colours of this page; see shell.css. */
export const cssVariables: CSSVariablesResolver = () => {
  const colors = {
    '--mantine-color-body': 'var(--raised)',
    '--mantine-color-text': 'var(--text)',
    '--mantine-color-dimmed': 'var(--muted)',
    '--mantine-color-placeholder': 'var(--muted)',
    '--mantine-color-error': 'var(--danger)',
    '--mantine-color-default-border': 'var(--line-strong)',
    '--mantine-color-default': 'var(--surface)',
    '--mantine-color-default-hover': 'var(--hover)',
    '--mantine-color-default-color': 'var(--text)',
    '--mantine-color-anchor': 'var(--accent)',
  };
  return { variables: {}, light: colors, dark: colors };
};

/** The nonce that lets Mantine's style tags pass the content security policy. */
export function styleNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
}
