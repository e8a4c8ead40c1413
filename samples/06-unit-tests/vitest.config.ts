import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

/** SWC writes down the types of constructors' parameters, which Nest injects by. */
export default defineConfig({ plugins: [swc.vite({ module: { type: 'es6' } })] });
