import { queryMariadb } from '../../support/mariadb-server.js';
import { until } from '../../support/patience.js';
import { GaleraNode } from './galera-node.js';

const PATIENCE = 60_000;

type Nodes = readonly [GaleraNode, GaleraNode, GaleraNode];

/** Three nodes, each of which takes writes. */
export class GaleraCluster {
  private constructor(
    readonly nodes: Nodes,
    /** The same database on each node. */
    readonly urls: readonly [string, string, string],
  ) {}

  static async start(): Promise<GaleraCluster> {
    const names = ['node-1', 'node-2', 'node-3'] as const;
    const nodes: GaleraNode[] = [];
    try {
      for (const name of names) {
        const node = await GaleraNode.create(name);
        nodes.push(node);
        await node.start(nodes.slice(0, -1));
      }
      const [first, second, third] = nodes as unknown as Nodes;
      await first.sees(nodes.length);
      const database = await first.createDatabase();
      const urls = nodes.map(({ url }) => url + database) as [string, string, string];
      for (const url of urls) await isThere(url);
      return new GaleraCluster([first, second, third], urls);
    } catch (error) {
      for (const node of nodes) await node.stop();
      throw error;
    }
  }

  /** Brings a node back that was killed. */
  async revive(node: GaleraNode): Promise<void> {
    await node.start(this.nodes.filter((other) => other !== node));
    await this.isWhole();
  }

  /** Waits until all nodes take part, and see each other. */
  async isWhole(): Promise<void> {
    for (const node of this.nodes) {
      await node.sees(this.nodes.length);
      await node.takesPart();
    }
  }

  async conflicts(): Promise<number> {
    const counts = await Promise.all(this.nodes.map((node) => node.conflicts()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop();
  }
}

/** What one node has created comes to the others a moment later. */
async function isThere(url: string): Promise<void> {
  await until('the database is on each node', PATIENCE, () =>
    queryMariadb(url, 'SELECT 1').then(
      () => true,
      () => false,
    ),
  );
}
