/** A worker process of pg-boss: takes jobs in batches, and sends those by hand whose inputs are all there. */
import { setTimeout as delay } from 'node:timers/promises';
import { pgBossQueue, startPgBoss, type JobContent, type PgBoss } from './pg-boss-api.ts';
import { ready, workerSettings } from './peer-processes.ts';

/** What it is started with. */
export interface PgBossWorkerSettings {
  /** Directory. */
  readonly packages: string;
  readonly url: string;
  readonly batch: number;
  readonly ms: number;
}

const { packages, url, batch, ms } = workerSettings<PgBossWorkerSettings>();
const boss = await startPgBoss(packages, url);
await boss.work(
  pgBossQueue,
  { batchSize: batch, burstWhenBatchFull: true, perJobResults: true },
  async (jobs) => {
    for (let at = 0; at < jobs.length && ms > 0; at++) await delay(ms);
    await follow(
      boss,
      jobs.map(({ data }) => data),
    );
    return jobs.map(({ id, data }) => ({
      id,
      status: 'completed' as const,
      output: { value: data.value },
    }));
  },
);
ready();

/** Sends what follows in a row, and those jobs that have got the last of their results from these. */
async function follow(client: PgBoss, contents: readonly JobContent[]): Promise<void> {
  const next = contents
    .filter(({ hops }) => hops > 0)
    .map((each) => ({ ...each, id: each.id + 1, value: each.value + 1, hops: each.hops - 1 }));
  const sent = [...next, ...(await complete(client, contents))];
  if (sent.length === 0) return;
  await client.insert(
    pgBossQueue,
    sent.map((data) => ({ data })),
  );
}

async function complete(
  client: PgBoss,
  contents: readonly JobContent[],
): Promise<readonly JobContent[]> {
  const given = contents.filter(({ parent }) => parent !== 0);
  if (given.length === 0) return [];
  const { rows } = await client.getDb().executeSql<JobContent & { readonly missing: number }>(
    `with given as (
       select parent, count(*) as results, sum(value) as value
       from unnest($1::int[], $2::bigint[]) as g (parent, value) group by parent
     )
     update bench_open o set missing = missing - g.results, value = o.value + g.value
     from given g where o.id = g.parent
     returning o.id, o.missing, o.value::int, o.parent, 0 as hops`,
    [given.map(({ parent }) => parent), given.map(({ value }) => value)],
  );
  return rows.filter(({ missing }) => missing === 0);
}
