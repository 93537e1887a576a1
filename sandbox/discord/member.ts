import {
  type OptionRecord,
  type OptionValues,
  fillOptions,
  nestOptions,
  type PickedCommand,
  pickCommand,
} from "./command-input.ts";
import { type FieldValues, fillModal, fillSelect, pickButton } from "./component-input.ts";
import { sendInteraction } from "./interaction-send.ts";
import { createMessage, deleteMessage } from "./messages.ts";
import type { ChannelRecord, Json, MemberRecord, MessageRecord } from "./records.ts";
import { Resolved, type Target, type UploadInput } from "./resolved.ts";
import { SentInteraction } from "./sent-interaction.ts";
import { type MessageView, viewMessage } from "./view.ts";
import { findJoinObstacle, moveInVoice } from "./voice/states.ts";
import type { World } from "./world.ts";

type HasId = { id: string };

/** Somebody at a Discord client: what they send is checked as their client would check it. */
export class Member {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly #world: World;
  readonly #record: MemberRecord;

  constructor(world: World, record: MemberRecord) {
    this.#world = world;
    this.#record = record;
    this.id = record.user.id;
    this.username = record.user.username;
    this.displayName = record.nick ?? record.user.globalName ?? record.user.username;
  }

  /** The channel of direct messages with the bot. */
  get directChannel(): HasId {
    return { id: this.#world.directChannel(this.id).id };
  }

  /** Whether the bot may write to this member through this guild. */
  acceptDirectMessages(accepts: boolean): void {
    this.#record.acceptsDirectMessages = accepts;
  }

  /** Sends a slash command, such as "clone" or "tasks cancel". Throws what the Discord client would not let through. */
  command(channel: HasId, name: string, options: OptionValues = {}): SentInteraction {
    const place = this.#enter(channel);
    const picked = pickCommand(this.#world, place, this.id, name);
    const resolved = new Resolved(this.#world, place);
    const filled = fillOptions(picked, options, this.id, resolved);
    const data = writeCommandData(picked, filled, resolved);
    return this.#send({ type: 2, channel: place, data, commandName: picked.command.name });
  }

  /** Types into an option and returns the choices that the bot offers. */
  async autocomplete(
    channel: HasId,
    name: string,
    focused: string,
    typed: string,
    others: OptionValues = {},
    signal?: AbortSignal,
  ): Promise<{ name: string; value: string | number }[]> {
    const place = this.#enter(channel);
    const picked = pickCommand(this.#world, place, this.id, name);
    const option = picked.options.find((candidate) => candidate.name === focused);
    if (!option?.autocomplete) throw new Error(`${picked.title} ${focused} offers no autocompletion.`);
    const resolved = new Resolved(this.#world, place);
    const given = picked.options.filter((candidate) => candidate.name in others).map(asOptional);
    const filled = fillOptions({ ...picked, options: given }, others, this.id, resolved);
    filled.push({ name: focused, type: option.type, value: typed, focused: true });
    const data = writeCommandData(picked, filled, resolved);
    const sent = this.#send({ type: 4, channel: place, data, commandName: picked.command.name });
    return (await sent.answered(signal)).choices ?? [];
  }

  /** Presses a button. */
  press(message: HasId, customId: string): SentInteraction {
    const source = this.#findMessage(message);
    const channel = this.#enter({ id: source.channelId });
    return this.#send({ type: 3, channel, source, data: pickButton(source, customId) });
  }

  /** Picks values in a select. */
  select(message: HasId, customId: string, values: readonly (string | Target)[]): SentInteraction {
    const source = this.#findMessage(message);
    const channel = this.#enter({ id: source.channelId });
    const data = fillSelect(source, customId, values, this.id, new Resolved(this.#world, channel));
    return this.#send({ type: 3, channel, source, data });
  }

  /** Fills in the modal that an interaction of this member was answered with. */
  submitModal(opened: SentInteraction, fields: FieldValues): SentInteraction {
    const { record } = opened;
    const modal = record.answer?.modal;
    if (!modal) throw new Error("That interaction was not answered with a modal.");
    if (record.userId !== this.id) throw new Error("That modal was shown to somebody else.");
    const channel = this.#enter({ id: record.channelId });
    const data = fillModal(modal, fields, this.id, new Resolved(this.#world, channel));
    const source = this.#world.messages.get(record.sourceMessageId ?? "");
    return this.#send({ type: 5, channel, data, ...(source && { source }) });
  }

  /** Writes an ordinary message. */
  say(channel: HasId, content: string, files: UploadInput[] = []): MessageView {
    const message = createMessage(this.#world, {
      channel: this.#enter(channel),
      author: this.#record.user,
      body: { content },
      files: files.map(({ name, data }, index) => ({ index: String(index), name, data })),
    });
    return viewMessage(this.#world, message);
  }

  /** Enters a voice channel and listens there, leaving the one they were in. Throws what the client would not let through. */
  joinVoice({ id }: HasId): void {
    const channel = this.#world.channel(id);
    const guild = this.#world.guild(this.#record.guildId);
    if (channel.guildId !== guild.id) throw new Error(`${this.username} is not in that guild.`);
    const obstacle = findJoinObstacle(guild, channel, this.id);
    if (obstacle) throw new Error(`${this.username} cannot join ${channel.name}: ${obstacle}.`);
    moveInVoice(this.#world, guild, this.id, channel, { cause: "self" });
  }

  leaveVoice(): void {
    const guild = this.#world.guild(this.#record.guildId);
    moveInVoice(this.#world, guild, this.id, undefined, { cause: "self" });
  }

  /** Deletes a message, as a moderator or its author would. */
  delete(message: HasId): void {
    deleteMessage(this.#world, this.#findMessage(message));
  }

  #enter({ id }: HasId): ChannelRecord {
    const channel = this.#world.channel(id);
    const isIn = this.#world.guildOf(channel)?.members.has(this.id) ?? channel.recipientId === this.id;
    if (!isIn) throw new Error(`${this.username} is not in that channel.`);
    return channel;
  }

  #findMessage({ id }: HasId): MessageRecord {
    const message = this.#world.messages.get(id);
    const isVisible = message?.visibleTo === undefined || message.visibleTo === this.id;
    if (!message || message.deleted || !isVisible) throw new Error(`${this.username} sees no message ${id}.`);
    return message;
  }

  #send(invocation: Omit<Parameters<typeof sendInteraction>[1], "userId">): SentInteraction {
    return new SentInteraction(this.#world, sendInteraction(this.#world, { ...invocation, userId: this.id }));
  }
}

function asOptional(option: OptionRecord): OptionRecord {
  return { ...option, required: false };
}

function writeCommandData({ command, path }: PickedCommand, options: Json[], resolved: Resolved): Json {
  const found = resolved.toJSON();
  return {
    id: command.id,
    name: command.name,
    type: 1,
    options: nestOptions(path, options),
    ...(command.guild_id !== undefined && { guild_id: command.guild_id }),
    ...(found && { resolved: found }),
  };
}
