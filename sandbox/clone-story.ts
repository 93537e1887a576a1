import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { SandboxArguments } from "./arguments.ts";
import type { Channel } from "./discord/guild.ts";
import type { Member } from "./discord/member.ts";
import type { DiscordStandIn } from "./discord/stand-in.ts";
import type { MessageView } from "./discord/view.ts";
import { duration, readCard, wrap, type CardText } from "./terminal.ts";
import { readWavParts } from "./voice-api/wav.ts";

export type Stage = { discord: DiscordStandIn; channel: Channel; member: Member; outputFolder: string };
export type Print = (line: string) => void;

const WIDTH = 100;
const TITLE_WIDTH = 12;
const INDENT = " ".repeat(23);
const LAST = new Set(["Done", "Not finished", "Cancelled", "That did not work"]);

/**
 * Sends one /clone as a member would, prints each state of the reply as the member sees it, and saves what was posted.
 * Gives false when there was none.
 */
export async function tellClone(stage: Stage, request: SandboxArguments, print: Print, signal: AbortSignal) {
  const { discord, channel, member } = stage;
  const options = await readOptions(request);
  print(`${member.displayName} types /clone in #${channel.name} with ${describe(request, options)}.\n`);
  const sent = member.command(channel, "clone", options);
  const teller = new Teller(discord.now(), member, print);
  const tell = (message: MessageView) => teller.tell(message, discord.now());
  const stop = sent.onChange(tell);
  try {
    const { ephemeral } = await sent.answered(signal);
    const last = await sent.until((message) => ephemeral || LAST.has(message.embeds[0]?.title ?? ""), signal);
    tell(last);
    const below = discord.messages(channel).filter(({ reference }) => reference?.messageId === last.id);
    const files = [last, ...below].flatMap(({ attachments }) => attachments);
    for (const file of files) await save(stage, file, print);
    return files.length > 0;
  } finally {
    stop();
  }
}

async function readOptions({ text, textFile, sample, speed, pitch, deliver }: SandboxArguments) {
  const file = async (path: string) => ({ name: basename(path), data: await readFile(path) });
  return {
    sample: await file(sample),
    ...(text === undefined ? {} : { text }),
    ...(textFile === undefined ? {} : { text_file: await file(textFile) }),
    ...(speed === undefined ? {} : { speed }),
    ...(pitch === undefined ? {} : { pitch }),
    ...(deliver === undefined ? {} : { deliver }),
  };
}

function describe({ text, textFile }: SandboxArguments, { sample }: { sample: { name: string } }): string {
  const what =
    textFile === undefined ? `a text of ${text?.length} characters` : `the text file ${basename(textFile)}`;
  return `the sample ${sample.name} and ${what}`;
}

/** Prints the whole card once, then only what an edit changed. */
class Teller {
  readonly #start: number;
  readonly #member: Member;
  readonly #print: Print;
  #shown = "";
  #isFirst = true;

  constructor(start: number, member: Member, print: Print) {
    this.#start = start;
    this.#member = member;
    this.#print = print;
  }

  tell(message: MessageView, now: number): void {
    const card = readCard(message, now, () => this.#member.displayName);
    const state = JSON.stringify([message.embeds, message.attachments.length]);
    if (card.title === "" || state === this.#shown) return;
    this.#shown = state;
    if (this.#isFirst) this.#tellHead(card);
    const time = `${((now - this.#start) / 1_000).toFixed(1)} s`.padStart(8);
    const lines = card.status.flatMap((line) => wrap(line, WIDTH - INDENT.length));
    if (message.attachments[0]) lines.push(`attached: ${message.attachments[0].filename}`);
    const isLong = card.title.length > TITLE_WIDTH;
    const [first = "", ...more] = isLong ? ["", ...lines] : lines;
    this.#print(`${time}  ${card.title.padEnd(TITLE_WIDTH)} ${first}`.trimEnd());
    for (const line of more) this.#print(INDENT + line);
  }

  #tellHead({ head, fields, footer }: CardText): void {
    this.#isFirst = false;
    if (head.length === 0) return;
    for (const line of [...head, fields.join("  ·  "), footer]) {
      for (const part of wrap(line, WIDTH - 4)) this.#print(`  │ ${part}`);
    }
    this.#print("");
  }
}

async function save(
  { discord, outputFolder }: Stage,
  attachment: MessageView["attachments"][number],
  print: Print,
): Promise<void> {
  await mkdir(outputFolder, { recursive: true });
  const path = join(outputFolder, attachment.filename);
  const bytes = discord.attachmentBytes(attachment.id);
  await writeFile(path, bytes);
  const what = [...describeAudio(bytes), `${(bytes.byteLength / 1_000_000).toFixed(1)} MB`].join(", ");
  print(`\nSaved ${relative(process.cwd(), path)}: ${what}. Play it with any player.`);
}

/** What a WAV says of itself; other formats say nothing here. */
function describeAudio(bytes: Uint8Array): string[] {
  const wav = readWavParts(bytes);
  if (!wav) return [];
  const seconds = wav.data.byteLength / (wav.sampleRate * wav.channels * (wav.bitsPerSample / 8));
  return [`${duration(seconds)} of speech`, `${wav.sampleRate} Hz mono`];
}
