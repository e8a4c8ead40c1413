// First, so that the page's own styles come after Mantine's.
import './shell/mantine.css';
import './shell/shell.css';
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { retry } from './api/queries';
import { LanguageProvider } from './language/language';
import { App } from './shell/app';
import { Toasts } from './ui/toasts';
import { cssVariables, styleNonce, theme } from './shell/theme';

const client = new QueryClient({
  defaultOptions: {
    // The feed says when something is out of date.
    queries: { retry, staleTime: 10_000, refetchOnWindowFocus: true, networkMode: 'always' },
    mutations: { networkMode: 'always' },
  },
});

createRoot(document.querySelector('#root')!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <LanguageProvider>
        <MantineProvider
          theme={theme}
          defaultColorScheme="auto"
          getStyleNonce={styleNonce}
          cssVariablesResolver={cssVariables}
        >
          <App />
          <Toasts />
        </MantineProvider>
      </LanguageProvider>
    </QueryClientProvider>
  </StrictMode>,
);
