export { NodeSqlite } from './store/sqlite/node-sqlite.js';
