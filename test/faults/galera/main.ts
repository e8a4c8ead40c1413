import { requireFile, requireProgram } from '../../support/system-program.js';
import { bundle } from '../../support/bundle/bundle.js';
import { PROVIDER } from './provider.js';

const say = (text: string) => process.stdout.write(`${text}\n`);

say(`Holds the locks of three MariaDB nodes with Galera against the safety contract, while nodes are killed, cut off and stand still.
It needs Debian's packages mariadb-server, galera-4 and rsync, and installs those that are missing. The nodes are started here, on
loopback and in temporary directories, and are gone when it ends. DB_LOCK_GALERA_ROUNDS says how often each fault comes (2).
`);
requireProgram('mariadbd', 'mariadb-server');
requireProgram('rsync');
requireFile(PROVIDER, 'galera-4');
await bundle();

// Loads the library, which is bundled only then.
const { runGaleraStorm } = await import('./galera-storm.js');
const { violations, grants, shared, downgrades, kept, conflicts, unknown } = await runGaleraStorm(say);

say(`
${grants} grants, of which ${kept} leases of an hour were kept to the end
${shared} of them in shared mode, and ${downgrades} downgrades
${conflicts} conflicts between nodes
${unknown} requests without an answer
${violations.length} violations of the contract`);
for (const { rule, lockName, what } of violations) say(`  ${rule} ${lockName}: ${what}`);
const isPlayed = shared > 0 && downgrades > 0;
if (!isPlayed) say('Nobody has shared a lock, or come to share one by a downgrade: that proves too little.');
process.exitCode = violations.length === 0 && isPlayed ? 0 : 1;
