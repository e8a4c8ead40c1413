import { mariadbStorage } from '../support/databases.js';
import { describeWithMariadb } from '../support/mariadb-server.js';
import { testConformance } from './subjects.js';

describeWithMariadb('With MariaDB', () => {
  testConformance('MariaDB', { open: mariadbStorage, way: 'in process', grants: 1_000 });
});
