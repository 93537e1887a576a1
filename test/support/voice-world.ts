import tls from "node:tls";
import type { Channel } from "../../sandbox/discord/guild.ts";
import type { MessageView } from "../../sandbox/discord/view.ts";
import type { HeardFrame } from "../../sandbox/discord/voice/heard.ts";
import { title, when, words } from "./waiting.ts";
import { TestWorld, type WorldOptions } from "./world.ts";

/** A world with a voice channel in which the member listens. Time runs as it does, because speech does. */
export async function startVoiceWorld({ env = {}, ...options }: WorldOptions = {}): Promise<{
  world: TestWorld;
  parlour: Channel;
}> {
  const quick = { VOICE_API_POLL_SECONDS: "0.1", VOICE_IDLE_SECONDS: "20", ...env };
  const world = await TestWorld.start({ speedUp: 1, ...options, env: quick, bot: false });
  trust(world.discord.voiceCertificate);
  const parlour = world.guild.addVoiceChannel({ name: "parlour" });
  world.member.joinVoice(parlour);
  if (options.bot !== false) await world.startBot();
  return { world, parlour };
}

/** Every world of a process has voice servers with a certificate of their own. */
function trust(certificate: string): void {
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), certificate]);
}

/** Waits until the channel has heard as many frames of speech and then that the bot is silent. */
export async function heardToTheEnd(world: TestWorld, channel: Channel, signal: AbortSignal): Promise<void> {
  const heard = world.discord.voice.heard(channel);
  const isOver = () => heard.speech.length > 0 && heard.speaking.at(-1)?.flags === 0;
  await when((check) => heard.onChange(check), isOver, signal);
}

export async function heardFrames(
  world: TestWorld,
  channel: Channel,
  count: number,
  signal: AbortSignal,
): Promise<HeardFrame[]> {
  const heard = world.discord.voice.heard(channel);
  await when(
    (check) => heard.onChange(check),
    () => heard.speech.length >= count,
    signal,
  );
  return heard.speech;
}

/** The card that says what is spoken, once it fits. */
export async function voiceCard(
  world: TestWorld,
  fits: (message: MessageView) => boolean,
  signal: AbortSignal,
): Promise<MessageView> {
  const find = () => world.discord.messages(world.channel).find(fits);
  return await when((check) => world.discord.onRequest(check), find, signal);
}

export function says(wanted: string): (message: MessageView) => boolean {
  return (message) => `${title(message)} ${words(message)}`.includes(wanted);
}
