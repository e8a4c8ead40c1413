import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import { parseAllDocuments } from 'yaml';
import { readConfiguration, type Configuration } from '../../src/configuration.js';
import { HealthController } from '../../src/health.controller.js';
import { hasProgram } from '../support/system-program.js';

const DEPLOY = new URL('../../deploy/', import.meta.url);

const read = (path: string) => readFile(new URL(path, DEPLOY), 'utf8');

/** The documents of a YAML file that is one. */
async function yaml<Documents extends unknown[]>(path: string): Promise<Documents> {
  const documents = parseAllDocuments(await read(path));
  return documents.map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as unknown;
  }) as Documents;
}

/** What is looked at of a compose file. */
interface Compose {
  services: Record<string, { environment: Record<string, string>; stop_grace_period: string }>;
}

type Labels = Record<string, string>;
type Probe = { httpGet: { path: string } };

/** What is looked at of a deployment. */
interface Deployment {
  spec: {
    selector: { matchLabels: Labels };
    template: {
      metadata: { labels: Labels };
      spec: {
        terminationGracePeriodSeconds: number;
        containers: [
          {
            env: Array<{ name: string; value: string }>;
            envFrom: object[];
            ports: [{ containerPort: number }];
            lifecycle: { preStop: { exec: { command: [string, string] } } };
          } & Record<'startupProbe' | 'readinessProbe' | 'livenessProbe', Probe>,
        ];
      };
    };
  };
}

/** What a secret holds that the files leave to their user. */
const SECRETS = { DB_LOCK_API_TOKEN: 'a-token-of-yours', DB_LOCK_ADMIN_PASSWORD: 'a-password-of-yours' };

const DATABASE = 'postgres://locks:secret@postgres:5432/locks';

/** Seconds. */
const shutdownGrace = ({ shutdownGrace: milliseconds }: Configuration) => milliseconds / 1000;

const pathAt = (target: object) => Reflect.getMetadata('path', target) as string;

const pathOf = (method: keyof HealthController) =>
  `/${pathAt(HealthController)}/${pathAt(HealthController.prototype[method])}`;

describe('the files to run the server by', () => {
  it('compose: sets what the server takes, and waits for its shutdown', async () => {
    const [{ services }] = await yaml<[Compose]>('container/compose.yaml');
    const { environment, stop_grace_period } = services['db-lock-server']!;
    const filledIn = Object.entries(environment).map(([name, value]) => [
      name,
      value.replaceAll(/\$\{\w+:\?[^}]*\}/g, 'given-by-you'),
    ]);
    const configuration = readConfiguration({ HOST: '0.0.0.0', ...Object.fromEntries(filledIn) });
    expect(configuration).toMatchObject({ createTables: true, redisUrl: 'redis://redis:6379' });
    expect(configuration.databaseUrl).toContain('@postgres:5432/');
    expect(parseInt(stop_grace_period, 10)).toBeGreaterThan(shutdownGrace(configuration));
  });

  it('container: sets what the server takes, and runs it without root', async () => {
    const text = await read('container/Containerfile');
    const [, lines] = /^ENV ((?:.*\\\n)*.*)$/m.exec(text)!;
    const environment = Object.fromEntries(
      lines!.split(/\\\n/).map((line) => line.trim().split('=') as [string, string]),
    );
    expect(readConfiguration({ ...environment, ...SECRETS })).toMatchObject({
      host: '0.0.0.0',
      dataDir: '/data',
    });
    expect(text).toContain('\nUSER node\n');
    expect(text).toContain(pathOf('ready'));
  });

  it('Kubernetes: sets what the server takes, probes what it serves, and waits for its shutdown', async () => {
    const [deployment, service, budget] = await yaml<
      [Deployment, { spec: { selector: Labels } }, { spec: { selector: { matchLabels: Labels } } }]
    >('kubernetes/db-lock-server.yaml');
    const { spec } = deployment.spec.template;
    const [container] = spec.containers;
    const environment = container.env.map(({ name, value }) => [name, value]);
    const secret = { ...SECRETS, DATABASE_URL: DATABASE };
    expect(container.envFrom).toEqual([{ secretRef: { name: 'db-lock-server' } }]);
    const configuration = readConfiguration({ ...Object.fromEntries(environment), ...secret });
    expect(configuration.port).toBe(container.ports[0].containerPort);
    const probed = (probe: 'startupProbe' | 'readinessProbe' | 'livenessProbe') =>
      container[probe].httpGet.path;
    expect(probed('startupProbe')).toBe(pathOf('ready'));
    expect(probed('readinessProbe')).toBe(pathOf('ready'));
    expect(probed('livenessProbe')).toBe(pathOf('live'));
    const [, pause] = container.lifecycle.preStop.exec.command;
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(shutdownGrace(configuration) + Number(pause));
    const labels = deployment.spec.template.metadata.labels;
    for (const selector of [
      deployment.spec.selector.matchLabels,
      service.spec.selector,
      budget.spec.selector.matchLabels,
    ])
      expect(labels).toEqual(selector);
  });

  it('systemd: sets what the server takes, and waits for its shutdown', async () => {
    const text = await read('systemd/db-lock-server.service');
    const environment = [...text.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name, value]) => [
      name,
      value,
    ]);
    const configuration = readConfiguration(Object.fromEntries(environment));
    expect(configuration.dataDir).toBe(`/var/lib/${/^StateDirectory=(.*)$/m.exec(text)![1]}`);
    expect(Number(/^TimeoutStopSec=(.*)$/m.exec(text)![1])).toBeGreaterThan(shutdownGrace(configuration));
  });

  (hasProgram('systemd-analyze', 'what systemd says of its unit', 'systemd') ? it : it.skip)(
    'systemd: takes the unit without complaint, and finds little exposed',
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'deploy-'));
      const unit = join(directory, 'db-lock-server.service');
      const text = await read('systemd/db-lock-server.service');
      await writeFile(unit, text.replace(/^ExecStart=.*$/m, `ExecStart=${process.execPath}`));
      const analyze = (...args: string[]) => {
        const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
        return { status, output: stdout + stderr };
      };
      expect(analyze('verify', '--man=no', unit)).toEqual({ status: 0, output: '' });
      // In tenths.
      expect(analyze('security', '--offline=true', '--threshold=20', unit).status).toBe(0);
      await rm(directory, { recursive: true });
    },
  );

  it('forms and workflows are YAML', async () => {
    for (const path of [
      '../.github/workflows/ci.yml',
      '../.github/workflows/release.yml',
      '../.github/ISSUE_TEMPLATE/bug.yml',
      '../.github/ISSUE_TEMPLATE/idea.yml',
    ])
      expect((await yaml(path))[0]).toHaveProperty('name');
  });
});
