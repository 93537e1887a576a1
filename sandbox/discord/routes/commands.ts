import {
  ApplicationCommandCreateRequestSchema,
  ApplicationCommandPatchRequestPartialSchema,
  ApplicationCommandUpdateRequestSchema,
} from "discord-api-spec/zod";
import { checkCommand, completeCommand } from "../command-rules.ts";
import { refuse, refuseField } from "../errors.ts";
import type { CommandRecord, Json } from "../records.ts";
import { param, type RequestContext, type Route, route, type RouteResult } from "../router.ts";
import { validateBody } from "../schema.ts";
import type { World } from "../world.ts";
import { asText } from "../text.ts";

const MOST_COMMANDS = 100;

/** Application commands, global ones and those of one guild. */
export const COMMAND_ROUTES: Route[] = [
  "/applications/:application",
  "/applications/:application/guilds/:guild",
].flatMap((base) => [
  route("GET", `${base}/commands`, list),
  route("PUT", `${base}/commands`, overwrite),
  route("POST", `${base}/commands`, create),
  route("GET", `${base}/commands/:command`, (context) => ({ body: findCommand(context) })),
  route("PATCH", `${base}/commands/:command`, edit),
  route("DELETE", `${base}/commands/:command`, remove),
]);

/** The commands of one guild, or the global ones. */
function listCommands(world: World, guildId: string | undefined): CommandRecord[] {
  return [...world.commands.values()].filter((command) => command.guild_id === guildId);
}

/** The guild of the request; refuses applications that are not ours and guilds the bot is not in. */
function readScope(context: RequestContext): string | undefined {
  const { world, params } = context;
  if (param(context, "application") !== world.application.id) throw refuse("unknownApplication");
  const guildId = params["guild"];
  if (guildId !== undefined && !world.guilds.get(guildId)?.members.has(world.bot.id))
    throw refuse("missingAccess");
  return guildId;
}

function findCommand(context: RequestContext): CommandRecord {
  const guildId = readScope(context);
  const command = context.world.commands.get(param(context, "command"));
  if (!command || command.guild_id !== guildId) throw refuse("unknownCommand");
  return command;
}

function list(context: RequestContext): RouteResult {
  const commands = listCommands(context.world, readScope(context));
  if (context.query.get("with_localizations") === "true") return { body: commands };
  return { body: commands.map(({ name_localizations: _n, description_localizations: _d, ...rest }) => rest) };
}

/** `sent` is what came in: validation turns permissions into numbers, which Discord keeps as strings. */
function findNamed(world: World, guildId: string | undefined, sent: Json): CommandRecord | undefined {
  const type = sent["type"] ?? 1;
  return listCommands(world, guildId).find(
    (command) => command.name === sent["name"] && command["type"] === type,
  );
}

async function overwrite(context: RequestContext): Promise<RouteResult> {
  const { world } = context;
  const guildId = readScope(context);
  const { json } = await context.body();
  const sent = (json ?? []) as Json[];
  if (!Array.isArray(sent))
    throw refuseField([], "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
  if (sent.length > MOST_COMMANDS)
    throw refuseField([], "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.");
  const names = new Set<string>();
  for (const [index, command] of sent.entries()) {
    validateBody(ApplicationCommandUpdateRequestSchema, command, [index]);
    checkCommand(command, [index]);
    const name = `${asText(command["type"] ?? 1)} ${String(command["name"])}`;
    if (names.has(name)) {
      throw refuseField(
        [index],
        "APPLICATION_COMMANDS_DUPLICATE_NAME",
        "Application command names must be unique",
      );
    }
    names.add(name);
  }
  const completed = sent.map((command) =>
    completeCommand(world, command, guildId, findNamed(world, guildId, command)),
  );
  for (const old of listCommands(world, guildId)) world.commands.delete(old.id);
  for (const command of completed) world.commands.set(command.id, command);
  world.commandWrites += 1;
  return { body: completed };
}

async function create(context: RequestContext): Promise<RouteResult> {
  const { world } = context;
  const guildId = readScope(context);
  const { json } = await context.body();
  validateBody(ApplicationCommandCreateRequestSchema, json);
  const sent = json as Json;
  checkCommand(sent, []);
  const existing = findNamed(world, guildId, sent);
  const command = completeCommand(world, sent, guildId, existing);
  world.commands.set(command.id, command);
  world.commandWrites += 1;
  return { status: existing ? 200 : 201, body: command };
}

async function edit(context: RequestContext): Promise<RouteResult> {
  const { world } = context;
  const existing = findCommand(context);
  const { json } = await context.body();
  validateBody(ApplicationCommandPatchRequestPartialSchema, json);
  const sent = { ...existing, ...(json as Json) };
  checkCommand(sent, []);
  const command = completeCommand(world, sent, existing.guild_id, existing);
  world.commands.set(command.id, command);
  world.commandWrites += 1;
  return { body: command };
}

function remove(context: RequestContext): RouteResult {
  context.world.commands.delete(findCommand(context).id);
  context.world.commandWrites += 1;
  return undefined;
}
