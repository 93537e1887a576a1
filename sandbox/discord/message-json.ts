import { writeTime, writeUser } from "./serialize.ts";
import type { AttachmentRecord, Json, MessageRecord } from "./records.ts";
import { asText } from "./text.ts";
import type { World } from "./world.ts";

const FILE = 13;

/** An attachment as messages and interactions carry it. */
export function writeAttachment(world: World, attachment: AttachmentRecord): Json {
  const url = world.attachmentUrl(attachment);
  return {
    id: attachment.id,
    filename: attachment.filename,
    size: attachment.data.byteLength,
    url,
    proxy_url: url,
    ...(attachment.contentType !== undefined && { content_type: attachment.contentType }),
    ...(attachment.description !== undefined && { description: attachment.description }),
    ...(attachment.title !== undefined && { title: attachment.title }),
    ...(attachment.durationSecs !== undefined && { duration_secs: attachment.durationSecs }),
    ...(attachment.waveform !== undefined && { waveform: attachment.waveform }),
    ...(attachment.ephemeral && { ephemeral: true }),
  };
}

/** A message as the API gives it. */
export function writeMessage(world: World, message: MessageRecord): Json {
  const { reference } = message;
  const replyTo = reference && world.messages.get(reference.messageId);
  return {
    id: message.id,
    channel_id: message.channelId,
    type: message.type,
    author: writeUser(message.author),
    content: message.content,
    embeds: message.embeds.map((embed) => writeEmbed(world, message, embed)),
    components: resolveMedia(world, message, message.components),
    attachments: message.attachments.map((attachment) => writeAttachment(world, attachment)),
    mentions: message.pinged.users.flatMap((id) => {
      const user = world.users.get(id);
      return user ? [writeUser(user)] : [];
    }),
    mention_roles: message.pinged.roles,
    mention_everyone: message.pinged.everyone,
    timestamp: writeTime(message.createdAt),
    edited_timestamp: message.editedAt === undefined ? null : writeTime(message.editedAt),
    flags: message.flags,
    pinned: false,
    tts: false,
    ...(message.nonce !== undefined && { nonce: message.nonce }),
    ...(reference && {
      message_reference: { type: 0, message_id: reference.messageId, channel_id: reference.channelId },
      referenced_message:
        replyTo && !replyTo.deleted ? writeMessage(world, { ...replyTo, reference: undefined }) : null,
    }),
    ...(message.interactionId !== undefined && writeOrigin(world, message.interactionId)),
  };
}

function writeOrigin(world: World, interactionId: string): Json {
  const interaction = world.interactions.get(interactionId);
  const user = interaction && world.users.get(interaction.userId);
  return {
    application_id: world.application.id,
    webhook_id: world.application.id,
    ...(interaction &&
      user && {
        interaction_metadata: {
          id: interactionId,
          type: interaction.type,
          user: writeUser(user),
          authorizing_integration_owners: { "0": interaction.guildId ?? "0" },
        },
      }),
  };
}

function writeEmbed(world: World, message: MessageRecord, embed: Json): Json {
  const fields = embed["fields"] as Json[] | undefined | null;
  return {
    ...(resolveMedia(world, message, embed) as Json),
    type: "rich",
    ...(fields && { fields: fields.map((field) => ({ ...field, inline: field["inline"] ?? false })) }),
  };
}

/** Puts addresses where `attachment://name` was said, and describes the media of components as Discord does. */
function resolveMedia(world: World, message: MessageRecord, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => resolveMedia(world, message, item));
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => {
      const isMedia = (key === "file" || key === "media") && typeof item === "object" && item !== null;
      return [key, isMedia ? unfurl(world, message, item as Json) : resolveMedia(world, message, item)];
    });
    return { ...(Object.fromEntries(entries) as Json), ...describeFile(message, value as Json) };
  }
  if (typeof value !== "string" || !value.startsWith("attachment://")) return value;
  const attachment = findReferenced(message.attachments, value);
  return attachment ? world.attachmentUrl(attachment) : value;
}

function unfurl(world: World, message: MessageRecord, { url }: Json): Json {
  const attachment = findReferenced(message.attachments, asText(url));
  const address = attachment ? world.attachmentUrl(attachment) : url;
  return {
    id: attachment?.id ?? message.id,
    url: address,
    proxy_url: address,
    content_type: attachment?.contentType ?? null,
    ...(attachment && { attachment_id: attachment.id }),
  };
}

function describeFile(message: MessageRecord, component: Json): Json | undefined {
  if (component["type"] !== FILE) return undefined;
  const attachment = findReferenced(message.attachments, asText((component["file"] as Json)["url"]));
  return { name: attachment?.filename ?? null, size: attachment?.data.byteLength ?? null };
}

/** The attachment that an `attachment://name` address means. */
export function findReferenced(attachments: AttachmentRecord[], url: string): AttachmentRecord | undefined {
  if (!url.startsWith("attachment://")) return undefined;
  const name = url.slice("attachment://".length);
  return attachments.find((attachment) => attachment.filename === name);
}
