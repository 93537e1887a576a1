import { Random } from "../../test/chaos/random.ts";
import type { Table } from "../report.ts";
import { makeLoad } from "./load.ts";
import { countIn, utilisation } from "./measure.ts";
import { runMynah, type Simulation } from "./mynah.ts";

const SEED = 1;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const GUILDS = 20;
const STEP_MS = 5_000;

/** What happens to the API or to us at moments of a run that is saturated all the time. */
type Plot = {
  limit: number;
  tasks: number;
  learned?: number;
  events?: readonly { at: number; happen: (simulation: Simulation) => void }[];
};
type Sample = { at: number; active: number; learned: number | undefined };
type Story = Simulation & { samples: Sample[] };

type Tell = (plot: Plot) => Promise<Story>;
/** Gives what is to be told of it, by name. */
type Scenario = (tell: Tell) => Promise<Record<string, string>>;

const SCENARIOS: readonly Scenario[] = [
  async (tell) => {
    const [up, down] = [2 * HOUR, 8 * HOUR];
    const events = [
      { at: up, happen: ({ api }: Simulation) => (api.limit = 10) },
      { at: down, happen: ({ api }: Simulation) => (api.limit = 3) },
    ];
    const story = await tell({ limit: 3, tasks: 800, events });
    const all = firstAfter(story, up, ({ active }) => active === 10);
    const few = firstAfter(story, down, ({ active }) => active <= 3);
    const learned = firstAfter(story, down, (sample) => sample.learned === 3);
    return {
      "a plan of 3 becomes one of 10: all are used after": `${inMinutes(all - up)}, ${refused(story, up, all)}`,
      "and of 3 again: no more than 3 are active after": `${inMinutes(few - down)}, ${refused(story, down, few)}`,
      "and 3 is taken for the limit after": `${inMinutes(learned - down)}, ${refused(story, down, learned)}`,
    };
  },
  async (tell) => {
    const [from, to] = [HOUR, HOUR + 20 * MINUTE];
    const events = [
      { at: from, happen: ({ api }: Simulation) => (api.others = 5) },
      { at: to, happen: ({ api }: Simulation) => (api.others = 0) },
    ];
    const story = await tell({ limit: 10, tasks: 500, events });
    const few = firstAfter(story, from, ({ active }) => active <= 5);
    const back = firstAfter(story, to, ({ active }) => active === 10);
    const used = utilisation(story.api.starts, 5, { from: few, to });
    return {
      "another program takes 5 of 10 slots for 20 min: of the rest are used": `${Math.round(100 * used)} %`,
      "and when it has gone, all 10 after": `${inMinutes(back - to)}, ${refused(story, from, back)} in all`,
    };
  },
  async (tell) => {
    const known = await tell({ limit: 50, tasks: 600, learned: 50 });
    const unknown = await tell({ limit: 50, tasks: 600 });
    const warm = firstAfter(known, 0, ({ active }) => active === 50);
    const cold = firstAfter(unknown, 0, ({ active }) => active === 50);
    return {
      "a restart with 50 learned: all are used after": `${inSeconds(warm)}, ${refused(known, 0, warm)}`,
      "a start with nothing learned, 50 allowed: after": `${inSeconds(cold)}, ${refused(unknown, 0, cold + MINUTE)}`,
    };
  },
  async (tell) => {
    const story = await tell({ limit: 10, tasks: 500, learned: 50 });
    const all = firstAfter(story, 0, ({ active }) => active === 10);
    const learned = firstAfter(story, 0, (sample) => sample.learned === 10);
    return {
      "a restart with 50 learned, 10 allowed: all are used after": `${inSeconds(all)}, ${refused(story, 0, all + MINUTE)}`,
      "and 10 is taken for the limit after": `${inMinutes(learned)}, ${refused(story, 0, learned)}`,
    };
  },
];

/** What the bot makes of an API that changes, in two columns: with webhooks and with polling only. */
export async function benchScenarios(signal: AbortSignal): Promise<Table> {
  process.stderr.write("changes of the API\n");
  const rows: string[][] = [["what happens", "webhooks", "polling"]];
  for (const scenario of SCENARIOS) {
    const webhooks = await scenario((plot) => act(plot, true, signal));
    const polling = await scenario((plot) => act(plot, false, signal));
    for (const [name, told] of Object.entries(webhooks)) rows.push([name, told, polling[name] ?? ""]);
  }
  return rows;
}

async function act(
  { limit, tasks, learned, events = [] }: Plot,
  hearsWebhooks: boolean,
  signal: AbortSignal,
): Promise<Story> {
  const load = makeLoad({ guilds: GUILDS, tasks, limit }, new Random(SEED));
  const samples: Sample[] = [];
  const script = (simulation: Simulation) => {
    const { clock, api } = simulation;
    for (const { at, happen } of events) clock.at(at, () => happen(simulation));
    const look = () => {
      samples.push({ at: clock.now(), active: api.active, learned: simulation.learned?.limit });
      clock.at(clock.now() + STEP_MS, look);
    };
    look();
  };
  const known = learned === undefined ? {} : { learned: { limit: learned } };
  const simulation = await runMynah({ load, limit, hearsWebhooks, seed: SEED, script, ...known }, signal);
  return { ...simulation, samples };
}

function firstAfter({ samples }: Story, time: number, matches: (sample: Sample) => boolean): number {
  const found = samples.find((sample) => sample.at >= time && matches(sample));
  if (!found) throw new Error("what was waited for never happened");
  return found.at;
}

function refused({ api }: Story, from: number, to: number): string {
  return `${countIn(api.refusedAt, { from, to })} refused`;
}

function inMinutes(ms: number): string {
  return `${Math.round(ms / MINUTE)} min`;
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
