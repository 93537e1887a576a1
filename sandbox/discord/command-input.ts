import { PermissionFlagsBits } from "discord-api-types/v10";
import { computeChannelPermissions, computeGuildPermissions } from "./permissions.ts";
import type { ChannelRecord, CommandRecord, Json } from "./records.ts";
import { isUpload, readTarget, type Resolved, type Target, type UploadInput } from "./resolved.ts";
import type { World } from "./world.ts";

/** Discord's application command option types. */
const OptionType = {
  subcommand: 1,
  group: 2,
  string: 3,
  integer: 4,
  boolean: 5,
  user: 6,
  channel: 7,
  role: 8,
  mentionable: 9,
  number: 10,
  attachment: 11,
} as const;

type OptionValue = string | number | boolean | UploadInput | Target;
export type OptionValues = { [name: string]: OptionValue };

/** A registered option, as far as input is checked against it. */
export type OptionRecord = {
  name: string;
  type: number;
  required?: boolean;
  autocomplete?: boolean;
  choices?: { name: string; value: string | number }[];
  min_value?: number;
  max_value?: number;
  min_length?: number;
  max_length?: number;
  channel_types?: number[];
  options?: OptionRecord[];
};

/** A command as a member picked it; `path` are its subcommand group and subcommand, outermost first. */
export type PickedCommand = {
  command: CommandRecord;
  path: OptionRecord[];
  options: OptionRecord[];
  title: string;
};

/** Finds what "clone" or "tasks cancel" means in a channel, if the member may use it there. */
export function pickCommand(
  world: World,
  channel: ChannelRecord,
  userId: string,
  typed: string,
): PickedCommand {
  const [name = "", ...rest] = typed.replace(/^\//, "").trim().split(/\s+/);
  const command = findCommand(world, channel, name);
  requireAccess(world, channel, userId, command);
  let options = (command["options"] ?? []) as OptionRecord[];
  const path: OptionRecord[] = [];
  for (const word of rest) {
    const next = options.find((option) => option.name === word && option.type <= OptionType.group);
    if (!next) throw new Error(`/${typed}: "${word}" is no subcommand; there are ${nameAll(options)}.`);
    path.push(next);
    options = next.options ?? [];
  }
  if (options.some((option) => option.type <= OptionType.group)) {
    throw new Error(`/${typed} needs a subcommand: ${nameAll(options)}.`);
  }
  return { command, path, options, title: `/${[name, ...rest].join(" ")}` };
}

function nameAll(named: { name: string }[]): string {
  return named.length > 0 ? named.map(({ name }) => name).join(", ") : "none";
}

function findCommand(world: World, channel: ChannelRecord, name: string): CommandRecord {
  const known = [...world.commands.values()].filter((command) => command["type"] === 1);
  const ofGuild = known.find(
    (command) =>
      command.name === name && command.guild_id !== undefined && command.guild_id === channel.guildId,
  );
  const found = ofGuild ?? known.find((command) => command.name === name && command.guild_id === undefined);
  if (!found) throw new Error(`/${name} is not registered here; there are ${nameAll(known)}.`);
  return found;
}

function requireAccess(world: World, channel: ChannelRecord, userId: string, command: CommandRecord): void {
  const guild = world.guildOf(channel);
  const contexts = command["contexts"] as number[] | null | undefined;
  const isOffered = guild
    ? (contexts?.includes(0) ?? true)
    : (contexts?.includes(1) ?? command["dm_permission"]);
  if (!isOffered)
    throw new Error(`/${command.name} is not offered ${guild ? "in guilds" : "in direct messages"}.`);
  if (!guild) return;
  const here = computeChannelPermissions(guild, userId, channel);
  const wanted = PermissionFlagsBits.ViewChannel | PermissionFlagsBits.UseApplicationCommands;
  if ((here & wanted) !== wanted) throw new Error(`The member may not use commands in #${channel.name}.`);
  const needed = command["default_member_permissions"];
  if (typeof needed !== "string") return;
  const held = computeGuildPermissions(guild, userId);
  const isAllowed =
    needed === "0" ? held & PermissionFlagsBits.Administrator : (held & BigInt(needed)) === BigInt(needed);
  if (!isAllowed) throw new Error(`The member lacks the permissions for /${command.name}.`);
}

/** Checks values as the Discord client would before it sends them, and writes them as options. */
export function fillOptions(
  picked: PickedCommand,
  values: OptionValues,
  userId: string,
  resolved: Resolved,
): Json[] {
  const { options, title } = picked;
  for (const name of Object.keys(values)) {
    if (!options.some((option) => option.name === name)) {
      throw new Error(`${title} has no option "${name}"; there are ${nameAll(options)}.`);
    }
  }
  return options.flatMap((option) => {
    const value = values[option.name];
    if (value === undefined) {
      if (option.required) throw new Error(`${title} needs the option "${option.name}".`);
      return [];
    }
    const where = `${title} ${option.name}`;
    return [
      { name: option.name, type: option.type, value: fillValue(where, option, value, userId, resolved) },
    ];
  });
}

/** Puts options into the subcommands they belong to. */
export function nestOptions(path: OptionRecord[], options: Json[]): Json[] {
  return path.reduceRight((inner, { name, type }) => [{ name, type, options: inner }], options);
}

function fillValue(
  where: string,
  option: OptionRecord,
  value: OptionValue,
  userId: string,
  resolved: Resolved,
): string | number | boolean {
  switch (option.type) {
    case OptionType.string:
      return checkText(where, option, value);
    case OptionType.integer:
    case OptionType.number:
      return checkNumber(where, option, value);
    case OptionType.boolean:
      if (typeof value !== "boolean")
        throw new Error(`${where} takes true or false, received ${describe(value)}.`);
      return value;
    case OptionType.attachment:
      if (!isUpload(value))
        throw new Error(`${where} takes a file {name, data}, received ${describe(value)}.`);
      return resolved.addUpload(value);
    default:
      return checkTarget(where, option, value, userId, resolved);
  }
}

function describe(value: unknown): string {
  return isUpload(value) ? `the file ${value.name}` : JSON.stringify(value);
}

function checkText(where: string, option: OptionRecord, value: OptionValue): string {
  if (typeof value !== "string") throw new Error(`${where} takes text, received ${describe(value)}.`);
  const least = option.min_length ?? 1;
  const most = option.max_length ?? 6000;
  if (value.length < least || value.length > most) {
    throw new Error(`${where} takes ${least} to ${most} characters, received ${value.length}.`);
  }
  return checkChoice(where, option, value);
}

function checkNumber(where: string, option: OptionRecord, value: OptionValue): number {
  const isRight = option.type === OptionType.integer ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (typeof value !== "number" || !isRight)
    throw new Error(`${where} takes a number, received ${describe(value)}.`);
  const { min_value: least = -Infinity, max_value: most = Infinity } = option;
  if (value < least || value > most)
    throw new Error(`${where} takes ${least} to ${most}, received ${value}.`);
  return checkChoice(where, option, value);
}

function checkChoice<T extends string | number>(where: string, option: OptionRecord, value: T): T {
  const { choices } = option;
  if (!choices || option.autocomplete || choices.some((choice) => choice.value === value)) return value;
  throw new Error(
    `${where} takes one of ${choices.map((choice) => choice.value).join(", ")}, received ${value}.`,
  );
}

function checkTarget(
  where: string,
  option: OptionRecord,
  value: OptionValue,
  userId: string,
  resolved: Resolved,
): string {
  const id = readTarget(value);
  const add: Record<number, (known: string) => boolean> = {
    [OptionType.user]: (known) => resolved.addUser(known),
    [OptionType.role]: (known) => resolved.addRole(known),
    [OptionType.channel]: (known) => resolved.addChannel(known, userId, option.channel_types),
    [OptionType.mentionable]: (known) => resolved.addUser(known) || resolved.addRole(known),
  };
  if (id === undefined || !add[option.type]?.(id)) {
    throw new Error(`${where} takes something that exists here, received ${describe(value)}.`);
  }
  return id;
}
