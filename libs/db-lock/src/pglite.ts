export { PgliteDriver, pgliteDataSourceOptions, type PgliteOptions } from './store/pglite/driver.js';
export { DataDirectoryInUseError } from './store/pglite/errors.js';
