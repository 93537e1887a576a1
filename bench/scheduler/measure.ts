import type { LoadedTask, Start } from "./load.ts";

export type Window = { from: number; to: number };

/** A guild with fewer turns to expect says nothing about shares. */
const LEAST_TURNS = 5;

/** How much of the slots was used, from 0 to 1. */
export function utilisation(starts: readonly Start[], limit: number, { from, to }: Window): number {
  let busyMs = 0;
  for (const { task, at } of starts)
    busyMs += Math.max(0, Math.min(to, at + task.takesMs) - Math.max(from, at));
  return busyMs / (limit * (to - from));
}

export function countIn(times: readonly number[], { from, to }: Window): number {
  return times.filter((time) => time >= from && time < to).length;
}

export function meanWaitMs(starts: readonly Start[]): number {
  return starts.reduce((sum, { task, at }) => sum + at - task.arrivesAt, 0) / starts.length;
}

/**
 * Jain's index of the guilds' shares: 1 when all get the same, 1/n when one gets everything. A share is the turns that a
 * guild had, against what it would have had if each turn went in equal parts to all guilds that had something waiting.
 */
export function jain(load: readonly LoadedTask[], starts: readonly Start[], { from, to }: Window): number {
  const shares = sharesOf(load, starts, { from, to });
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return shares.length === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

type Guild = { waiting: number; since: number; expected: number; turns: number };

function sharesOf(load: readonly LoadedTask[], starts: readonly Start[], { from, to }: Window): number[] {
  const guilds = new Map<string, Guild>();
  // The sum of 1/n over all turns so far, n guilds waiting: what a guild that waited all the time could expect.
  let [expected, backlogged] = [0, 0];
  const change = (guildId: string, by: 1 | -1) => {
    const guild = guilds.get(guildId) ?? { waiting: 0, since: 0, expected: 0, turns: 0 };
    guilds.set(guildId, guild);
    if (by === 1 && guild.waiting === 0) [guild.since, backlogged] = [expected, backlogged + 1];
    guild.waiting += by;
    if (by === -1 && guild.waiting === 0) {
      guild.expected += expected - guild.since;
      backlogged -= 1;
    }
    return guild;
  };
  const arrivals = load.toSorted((a, b) => a.arrivesAt - b.arrivesAt).values();
  let arrival = arrivals.next();
  for (const { task, at } of starts) {
    if (at >= to) break;
    for (; !arrival.done && arrival.value.arrivesAt <= at; arrival = arrivals.next())
      change(arrival.value.guildId, 1);
    if (at >= from) expected += 1 / backlogged;
    const guild = change(task.guildId, -1);
    if (at >= from) guild.turns += 1;
  }
  for (const guild of guilds.values()) if (guild.waiting > 0) guild.expected += expected - guild.since;
  return [...guilds.values()]
    .filter((guild) => guild.expected >= LEAST_TURNS)
    .map((guild) => guild.turns / guild.expected);
}
