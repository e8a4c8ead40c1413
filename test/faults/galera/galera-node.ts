import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../support/free-port.js';
import { MariadbServer, queryMariadb } from '../../support/mariadb-server.js';
import { until } from '../../support/patience.js';
import { findServerUser } from '../../support/server-user.js';
import { PROVIDER } from './provider.js';

const PATIENCE = 120_000;

/** So that a node that stands still is missed after seconds. */
const TIMES = {
  'evs.keepalive_period': 'PT0.5S',
  'evs.suspect_timeout': 'PT2S',
  'evs.inactive_timeout': 'PT5S',
  'evs.install_timeout': 'PT5S',
};

/** Transactions that lost against one of another node: when they were to be committed, and before that. */
const CONFLICTS = ['wsrep_local_cert_failures', 'wsrep_local_bf_aborts'];

/** One MariaDB of a Galera cluster, on ports of its own. */
export class GaleraNode {
  /** Conflicts that it counted before it was last killed. */
  #conflictsBefore = 0;

  private constructor(
    readonly name: string,
    /** Where the other nodes find it. */
    readonly address: string,
    private readonly server: MariadbServer,
  ) {}

  /** With data of its own, and not yet started. */
  static async create(name: string): Promise<GaleraNode> {
    const address = `127.0.0.1:${await findFreePort()}`;
    const options = {
      'gmcast.listen_addr': `tcp://${address}`,
      'ist.recv_addr': `127.0.0.1:${await findFreePort()}`,
      'gcache.size': '32M',
      ...TIMES,
    };
    const settings = {
      'wsrep-on': 'ON',
      'wsrep-provider': PROVIDER,
      'wsrep-provider-options': Object.entries(options)
        .map(([option, value]) => `${option}=${value}`)
        .join(';'),
      'wsrep-cluster-name': 'db-lock',
      'wsrep-node-name': name,
      'wsrep-node-address': '127.0.0.1',
      'wsrep-sst-method': 'rsync',
      'wsrep-sst-receive-address': `127.0.0.1:${await findFreePort()}`,
      'binlog-format': 'ROW',
      'innodb-autoinc-lock-mode': '2',
    };
    const home = await mkdtemp(join(tmpdir(), 'db-lock-galera-'));
    const server = new MariadbServer(home, await findFreePort(), await findServerUser('mysql'), settings);
    await server.initialise();
    return new GaleraNode(name, address, server);
  }

  get url(): string {
    return this.server.url;
  }

  /** Starts it: as the first of a cluster, or to join others, whose data it takes. Resolves when it takes part. */
  async start(others: readonly GaleraNode[]): Promise<void> {
    const addresses = others.map(({ address }) => address).join(',');
    await this.server.restart({ 'wsrep-cluster-address': `gcomm://${addresses}` });
    await this.takesPart();
  }

  /** Waits until it is one of the cluster, and has what the others have. */
  async takesPart(): Promise<void> {
    await until(`${this.name} takes part`, PATIENCE, async () => {
      const status = await this.#status().catch(() => undefined);
      return status?.get('wsrep_ready') === 'ON' && status.get('wsrep_local_state_comment') === 'Synced';
    });
  }

  /** Waits until it sees so many nodes, itself among them. */
  async sees(nodes: number): Promise<void> {
    await until(`${this.name} sees ${nodes} nodes`, PATIENCE, async () => {
      const status = await this.#status().catch(() => undefined);
      return Number(status?.get('wsrep_cluster_size')) === nodes;
    });
  }

  /** kill -9 */
  async kill(): Promise<void> {
    this.#conflictsBefore = await this.conflicts();
    await this.server.kill();
  }

  async pause(): Promise<void> {
    await this.server.pause();
  }

  resume(): void {
    this.server.resume();
  }

  /** Cuts it off from the other nodes, not from its clients, or lets it come back. */
  async isolate(isCutOff: boolean): Promise<void> {
    await queryMariadb(this.url, `SET GLOBAL wsrep_provider_options = 'gmcast.isolate=${isCutOff ? 1 : 0}'`);
  }

  /** How many transactions of its clients lost against those of others. */
  async conflicts(): Promise<number> {
    const status = await this.#status();
    return CONFLICTS.reduce((sum, name) => sum + Number(status.get(name)), this.#conflictsBefore);
  }

  async createDatabase(): Promise<string> {
    const { url } = await this.server.createDatabase();
    return new URL(url).pathname;
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }

  async #status(): Promise<Map<string, string>> {
    const rows = await queryMariadb<{ Variable_name: string; Value: string }>(
      this.url,
      "SHOW GLOBAL STATUS LIKE 'wsrep_%'",
    );
    return new Map(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
  }
}
