import { setTimeout as sleep } from "node:timers/promises";
import type { DiscordStandIn } from "../../sandbox/discord/stand-in.ts";
import type { VoiceApiStandIn } from "../../sandbox/voice-api/stand-in.ts";
import type { Random } from "./random.ts";

type Injection = Parameters<VoiceApiStandIn["fail"]>[0];
type DiscordFault = Parameters<DiscordStandIn["failNext"]>[0];

const API_FAULTS: readonly [Injection, ...Injection[]] = [
  { on: "create", kind: "status", status: 503 },
  { on: "create", kind: "reset" },
  { on: "create", kind: "reset-after" },
  { on: "sync", kind: "status", status: 502 },
  { on: "sync", kind: "reset" },
  { on: "sync", kind: "reset-after" },
  { on: "sync", kind: "truncate" },
  { on: "status", kind: "status", status: 500, times: 2 },
  { on: "status", kind: "reset" },
  { on: "result", kind: "status", status: 503 },
  { on: "result", kind: "reset" },
  { on: "result", kind: "truncate", times: 2 },
];
const EDIT = { method: "PATCH", path: /^\/webhooks\// };
/** discord.js itself repeats a request three times, so that only the longer ones reach our own code. */
const DISCORD_FAULTS: readonly [DiscordFault, ...DiscordFault[]] = [
  { ...EDIT, status: 500, times: 2 },
  { ...EDIT, status: 502, times: 6 },
  { ...EDIT, reset: true, times: 5 },
  { ...EDIT, reset: "after" },
  { ...EDIT, reset: "after", times: 4 },
];
const SPELL_MS = { least: 100, most: 500 };

type Places = { discord: DiscordStandIn; api: VoiceApiStandIn };

/**
 * Makes the stand-ins fail in spells until aborted; a fault that nobody met within its spell is taken back. Between
 * them about half of the time is fair.
 */
export async function makeWeather({ discord, api }: Places, random: Random, signal: AbortSignal) {
  while (!signal.aborted) {
    const spell = random.next();
    if (spell < 0.35) api.fail(random.pick(API_FAULTS));
    else if (spell < 0.5) discord.failNext(random.pick(DISCORD_FAULTS));
    const { least, most } = SPELL_MS;
    await sleep(random.between(least, most), undefined, { signal }).catch(() => undefined);
    api.clearFaults();
    discord.clearFaults();
  }
}

/** Counts the answers that were refused with 5xx or cut off. */
export function countFaults({ discord, api }: Places): () => number {
  let count = 0;
  const note = ({ status }: { status: number | null }) => {
    if (!status || status >= 500) count += 1;
  };
  api.onRequest(note);
  discord.onRequest(note);
  return () => count;
}
