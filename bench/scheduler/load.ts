import type { Entry } from "../../src/tasks/scheduler.ts";
import type { Random } from "../../test/chaos/random.ts";

/** A task before it is sent. The API takes the same time for it whoever sends it. Times in ms. */
export type LoadedTask = Entry & {
  arrivesAt: number;
  takesMs: number;
  /** What the API says when it takes the task. */
  estimateMs: number;
};

export type Start = { task: LoadedTask; at: number };

/** The vendor calls 2 to 10 minutes typical: here 1,000 to 4,000 characters. */
const CHARACTERS = { least: 1_000, most: 4_000 };
const MS_PER_CHARACTER = { least: 117, most: 159 };
const PENDING_MS = { least: 5_000, most: 25_000 };
/** How far the estimate may be from the truth, as a share of it. */
const ESTIMATE_ERROR = 0.25;
const TASKS_PER_MEMBER = 4;
/** So many of the guilds come late, in the first half of the time that all tasks take. */
const LATE_SHARE = 0.2;
const FIRST_MS = 60_000;

/** Tasks of guilds that want very different amounts: the second half as much as the first, the tenth a tenth. */
export function makeLoad(
  want: { guilds: number; tasks: number; limit: number },
  random: Random,
): LoadedTask[] {
  const weights = Array.from({ length: want.guilds }, (_, index) => 1 / (index + 1));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const makespanMs = (want.tasks / want.limit) * 360_000;
  const load = weights.flatMap((weight, guild) => {
    const count = Math.max(1, Math.round((want.tasks * weight) / sum));
    const members = Math.ceil(count / TASKS_PER_MEMBER);
    const isLate = guild > 0 && random.next() < LATE_SHARE;
    const from = isLate ? random.between(0.1, 0.5) * makespanMs : 0;
    return Array.from({ length: count }, () => ({
      guildId: `g${guild}`,
      userId: `u${Math.floor(random.next() * members)}`,
      arrivesAt: from + random.next() * FIRST_MS,
    }));
  });
  load.sort((a, b) => a.arrivesAt - b.arrivesAt);
  return load.map((task, index) => ({ ...task, taskId: `t${index}`, ...makeTimes(random) }));
}

function makeTimes(random: Random): Pick<LoadedTask, "characters" | "takesMs" | "estimateMs"> {
  const characters = Math.round(random.between(CHARACTERS.least, CHARACTERS.most));
  const pendingMs = random.between(PENDING_MS.least, PENDING_MS.most);
  const takesMs = pendingMs + characters * random.between(MS_PER_CHARACTER.least, MS_PER_CHARACTER.most);
  const error = random.between(-ESTIMATE_ERROR, ESTIMATE_ERROR);
  return { characters, takesMs, estimateMs: takesMs * (1 + error) };
}
