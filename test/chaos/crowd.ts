import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Member } from "../../sandbox/discord/member.ts";
import { Signal } from "../../sandbox/discord/signal.ts";
import type { DiscordStandIn } from "../../sandbox/discord/stand-in.ts";
import type { MessageView } from "../../sandbox/discord/view.ts";
import { when } from "../support/waiting.ts";
import type { Random } from "./random.ts";
import { Request } from "./request.ts";

const SAMPLE = {
  name: "austen.wav",
  data: readFileSync(new URL("../../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url)),
  contentType: "audio/wav",
};
/** The API's stand-in passes over notes, so these are long for the API and read aloud in no time. */
const NOTES = "🎵 ".repeat(500).trim();
const TEXTS = [
  "The quick brown fox jumps over the lazy dog.",
  "Nothing is lost.",
  "Wait for it.",
  `A parrot sings: ${NOTES}`,
  `The mynah answers: ${NOTES}`,
  `And both of them rest: ${NOTES}`,
  // In two parts.
  `First the parrot: ${NOTES}\n\nThen the mynah: ${NOTES}`,
] as const;
/** A member who has so many cards that tell no end yet asks for nothing more. */
const MOST_OPEN = 3;
const PAUSE_MS = { least: 200, most: 1_000 };
/** How long a member looks at "thinking" before asking again. */
const PATIENCE_MS = 2_000;

type Place = { member: Member; channel: { id: string } };

/** Members of two guilds who keep asking. */
export class Crowd {
  readonly requests: Request[] = [];
  /** Emits a request whenever its reply changes. */
  readonly changed = new Signal<Request>();
  readonly #discord: DiscordStandIn;
  readonly #random: Random;
  readonly #places: Place[];

  constructor(discord: DiscordStandIn, random: Random) {
    this.#discord = discord;
    this.#random = random;
    this.#places = [3, 2].flatMap((members, index) => {
      const guild = discord.addGuild({ name: `Guild ${index + 1}` });
      const channel = guild.addChannel({ name: "voices" });
      return Array.from({ length: members }, () => ({ member: guild.addMember(), channel }));
    });
  }

  /** Asks until aborted; the commands must be registered. */
  async ask(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#places.map((place) => this.#askAsOne(place, signal)));
  }

  /** Every message of the bot that carries a file, wherever members can see it. */
  results(): MessageView[] {
    const channels = new Set(this.#places.map(({ channel }) => channel));
    const inChannels = [...channels].flatMap((channel) => this.#discord.messages(channel));
    const direct = this.#places.flatMap(({ member }) => this.#discord.directMessages(member));
    return [...inChannels, ...direct].filter(
      ({ author, attachments }) => author.bot && attachments.length > 0,
    );
  }

  async #askAsOne({ member, channel }: Place, signal: AbortSignal): Promise<void> {
    const mine: Request[] = [];
    for (;;) {
      const { least, most } = PAUSE_MS;
      await sleep(this.#random.between(least, most), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      if (mine.filter(({ cardIds, isOver }) => cardIds.size > 0 && !isOver).length >= MOST_OPEN) continue;
      const text = this.#random.pick(TEXTS);
      const sent = member.command(channel, "clone", { sample: SAMPLE, text });
      const request = new Request(sent, text, (which) => this.changed.emit(which));
      mine.push(request);
      this.requests.push(request);
      const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
      const isHeard = () => request.unheard || request.isRefused || request.cardIds.size > 0;
      await when((check) => this.changed.listen(check), isHeard, limit).catch(() => undefined);
    }
  }
}
