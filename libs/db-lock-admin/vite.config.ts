import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The library serves these files from memory, at any path, under a CSP that allows neither inline scripts nor other hosts. */
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    outDir: '../db-lock/admin-page',
    emptyOutDir: true,
    assetsDir: 'assets',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    sourcemap: false,
    chunkSizeWarningLimit: 700,
  },
});
