import { BlockingSession } from './blocking-session.js';

/** The clock of a test's own database, which can be stepped as an NTP step, a resumed virtual machine or a failover does. */
export class SteppedClock {
  private constructor(private readonly session: BlockingSession) {}

  /** Before anybody else connects: sessions that are open already keep the real clock. */
  static async install(url: string): Promise<SteppedClock> {
    const session = await BlockingSession.open(url);
    const [{ name }] = (await session.query<{ name: string }>('SELECT current_database() AS name')) as [
      { name: string },
    ];
    await session.query('CREATE TABLE public.clock_step AS SELECT interval $$0$$ AS step');
    for (const [clock, volatility] of [
      ['clock_timestamp', 'VOLATILE'],
      ['statement_timestamp', 'STABLE'],
    ])
      await session.query(`
        CREATE FUNCTION public.${clock}() RETURNS timestamptz ${volatility} LANGUAGE sql AS
        $$ SELECT pg_catalog.${clock}() + step FROM public.clock_step $$`);
    await session.query(`ALTER DATABASE ${name} SET search_path = public, pg_catalog`);
    return new SteppedClock(session);
  }

  /** Sets it so many milliseconds off the real one. */
  async setOff(milliseconds: number): Promise<void> {
    await this.session.query('UPDATE public.clock_step SET step = $1::float8 * interval $$1 ms$$', [
      milliseconds,
    ]);
  }

  async close(): Promise<void> {
    await this.session.close();
  }
}
