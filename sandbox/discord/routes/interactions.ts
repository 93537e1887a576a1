import {
  ApplicationCommandAutocompleteCallbackRequestSchema,
  CreateMessageInteractionCallbackRequestSchema,
  InteractionCallbackTypesSchema,
  ModalInteractionCallbackRequestSchema,
  PongInteractionCallbackRequestSchema,
  UpdateMessageInteractionCallbackRequestSchema,
} from "discord-api-spec/zod";
import type { ParsedBody } from "../body.ts";
import { refuse, refuseField } from "../errors.ts";
import { writeMessage } from "../message-json.ts";
import { createMessage, editMessage } from "../messages.ts";
import {
  type AnswerRecord,
  type InteractionRecord,
  type Json,
  MessageFlag,
  type MessageRecord,
} from "../records.ts";
import { param, type RequestContext, type Route, route, type RouteResult } from "../router.ts";
import { validateBody } from "../schema.ts";
import type { World } from "../world.ts";
import { checkModal } from "../modal-rules.ts";

/** How long an interaction may wait for its first answer. */
export const ANSWER_WITHIN_MS = 3000;

const SCHEMAS = {
  1: PongInteractionCallbackRequestSchema,
  4: CreateMessageInteractionCallbackRequestSchema,
  5: CreateMessageInteractionCallbackRequestSchema,
  6: UpdateMessageInteractionCallbackRequestSchema,
  7: UpdateMessageInteractionCallbackRequestSchema,
  8: ApplicationCommandAutocompleteCallbackRequestSchema,
  9: ModalInteractionCallbackRequestSchema,
} as const;

/** The first answer to an interaction. */
export const INTERACTION_ROUTES: Route[] = [
  route("POST", "/interactions/:interaction/:token/callback", answer, { authorized: false }),
];

async function answer(context: RequestContext): Promise<RouteResult> {
  const { world, receivedAt } = context;
  const interaction = world.interactions.get(param(context, "interaction"));
  if (!interaction || interaction.token !== param(context, "token")) throw refuse("unknownInteraction");
  if (!interaction.answer && receivedAt - interaction.sentAt > ANSWER_WITHIN_MS)
    throw refuse("unknownInteraction");
  const parsed = await context.body(interaction.uploadLimit);
  if (interaction.answer) throw refuse("alreadyAcknowledged");
  const type = readType(interaction, parsed.json);
  const body = validateBody(SCHEMAS[type], parsed.json);
  const data = (body["data"] ?? {}) as Json;
  const message = applyAnswer(world, interaction, { type, data, files: parsed.files });
  const isEphemeral = message?.visibleTo !== undefined;
  interaction.answer = { type, at: receivedAt, ephemeral: isEphemeral, ...readSpecial(type, data) };
  interaction.originalId = message?.id;
  world.answered.emit(interaction);
  if (context.query.get("with_response") !== "true") return undefined;
  return { body: writeCallback(world, interaction, type, message) };
}

type AnswerType = keyof typeof SCHEMAS;

function readType(interaction: InteractionRecord, json: unknown): AnswerType {
  const sent = typeof json === "object" && json !== null ? (json as Json)["type"] : undefined;
  validateBody(InteractionCallbackTypesSchema, sent);
  const type = Number(sent);
  const allowed = allowedTypes(interaction);
  if (!allowed.includes(type)) {
    throw refuseField(["type"], "BASE_TYPE_CHOICES", `Value must be one of {${allowed.join(", ")}}.`);
  }
  return type as AnswerType;
}

function allowedTypes(interaction: InteractionRecord): number[] {
  if (interaction.type === 4) return [8];
  const onMessage = interaction.sourceMessageId === undefined ? [] : [6, 7];
  return interaction.type === 5 ? [4, 5, ...onMessage] : [4, 5, 9, ...onMessage];
}

function applyAnswer(
  world: World,
  interaction: InteractionRecord,
  { type, data, files }: { type: AnswerType; data: Json; files: ParsedBody["files"] },
): MessageRecord | undefined {
  const source = world.messages.get(interaction.sourceMessageId ?? "");
  switch (type) {
    case 4:
    case 5:
      return createMessage(world, {
        channel: world.channel(interaction.channelId),
        author: world.bot,
        body: type === 5 ? { flags: data["flags"] } : data,
        files: type === 5 ? [] : files,
        prefix: ["data"],
        interactionId: interaction.id,
        loading: type === 5,
        ...(source && !source.deleted && { replyTo: source }),
        ...(Number(data["flags"] ?? 0) & MessageFlag.ephemeral && { visibleTo: interaction.userId }),
      });
    case 6:
    case 7:
      if (!source || source.deleted) throw refuse("unknownMessage");
      return type === 6 ? source : editMessage(world, source, data, files, ["data"]);
    case 9:
      checkModal(data);
      return undefined;
    default:
      return undefined;
  }
}

function readSpecial(type: AnswerType, data: Json): Pick<AnswerRecord, "choices" | "modal"> {
  return {
    choices: type === 8 ? ((data["choices"] ?? []) as NonNullable<AnswerRecord["choices"]>) : undefined,
    modal: type === 9 ? data : undefined,
  };
}

function writeCallback(
  world: World,
  interaction: InteractionRecord,
  type: number,
  message: MessageRecord | undefined,
): Json {
  return {
    interaction: {
      id: interaction.id,
      type: interaction.type,
      ...(message && {
        response_message_id: message.id,
        response_message_loading: Boolean(message.flags & MessageFlag.loading),
        response_message_ephemeral: message.visibleTo !== undefined,
        channel_id: interaction.channelId,
      }),
      ...(interaction.guildId !== undefined && { guild_id: interaction.guildId }),
    },
    ...(message && { resource: { type, message: writeMessage(world, message) } }),
  };
}
