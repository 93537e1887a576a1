import {
  IncomingWebhookRequestPartialSchema,
  IncomingWebhookUpdateRequestPartialSchema,
} from "discord-api-spec/zod";
import { refuse } from "../errors.ts";
import { writeMessage } from "../message-json.ts";
import { createMessage, deleteMessage, editMessage } from "../messages.ts";
import { type InteractionRecord, MessageFlag, type MessageRecord } from "../records.ts";
import { param, type RequestContext, type Route, route, type RouteResult } from "../router.ts";
import { validateBody } from "../schema.ts";

/** How long an interaction's token works after the interaction was sent. */
const TOKEN_LIFE_MS = 15 * 60 * 1000;

const OPEN = { authorized: false };

/** Messages through an interaction's token. */
export const WEBHOOK_ROUTES: Route[] = [
  route("POST", "/webhooks/:application/:token", followUp, OPEN),
  route("GET", "/webhooks/:application/:token/messages/:message", (context) => readMessage(context), OPEN),
  route("PATCH", "/webhooks/:application/:token/messages/:message", edit, OPEN),
  route("DELETE", "/webhooks/:application/:token/messages/:message", remove, OPEN),
];

function findInteraction(context: RequestContext): InteractionRecord {
  const { world, receivedAt } = context;
  const token = param(context, "token");
  const interaction = [...world.interactions.values()].find((candidate) => candidate.token === token);
  if (!interaction || param(context, "application") !== world.application.id) throw refuse("unknownWebhook");
  if (receivedAt - interaction.sentAt > TOKEN_LIFE_MS) throw refuse("invalidWebhookToken");
  // Until there is a first answer, Discord knows no webhook for the token.
  if (!interaction.answer) throw refuse("unknownWebhook");
  return interaction;
}

function findMessage(context: RequestContext, interaction: InteractionRecord): MessageRecord {
  const name = param(context, "message");
  const id = name === "@original" ? interaction.originalId : name;
  const message = context.world.messages.get(id ?? "");
  const isOwn = message?.interactionId === interaction.id || message?.id === interaction.originalId;
  if (!message || !isOwn || message.deleted) throw refuse("unknownMessage");
  return message;
}

function readMessage(context: RequestContext): RouteResult {
  return { body: writeMessage(context.world, findMessage(context, findInteraction(context))) };
}

async function edit(context: RequestContext): Promise<RouteResult> {
  const interaction = findInteraction(context);
  const message = findMessage(context, interaction);
  const { json, files } = await context.body(interaction.uploadLimit);
  const body = validateBody(IncomingWebhookUpdateRequestPartialSchema, json);
  return { body: writeMessage(context.world, editMessage(context.world, message, body, files)) };
}

function remove(context: RequestContext): RouteResult {
  deleteMessage(context.world, findMessage(context, findInteraction(context)));
  return undefined;
}

async function followUp(context: RequestContext): Promise<RouteResult> {
  const { world } = context;
  const interaction = findInteraction(context);
  const { json, files } = await context.body(interaction.uploadLimit);
  const body = validateBody(IncomingWebhookRequestPartialSchema, json);
  const original = world.messages.get(interaction.originalId ?? "");
  // The first follow-up to a deferred answer takes its place.
  if (original && !original.deleted && original.flags & MessageFlag.loading) {
    const { flags: _flags, ...rest } = body;
    return { body: writeMessage(world, editMessage(world, original, rest, files)) };
  }
  const isEphemeral = Boolean(Number(body["flags"] ?? 0) & MessageFlag.ephemeral);
  const message = createMessage(world, {
    channel: world.channel(interaction.channelId),
    author: world.bot,
    body,
    files,
    interactionId: interaction.id,
    ...(isEphemeral && { visibleTo: interaction.userId }),
    ...(original && !original.deleted && { replyTo: original }),
  });
  return { body: writeMessage(world, message) };
}
