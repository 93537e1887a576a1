import { mergeAttachments, type Upload } from "./attachments.ts";
import { refuse, refuseField } from "./errors.ts";
import { findPinged } from "./mentions.ts";
import { findReferenced } from "./message-json.ts";
import { checkMessageBody, listComponents } from "./message-rules.ts";
import {
  type AttachmentRecord,
  type ChannelRecord,
  type Json,
  MessageFlag,
  type MessageRecord,
} from "./records.ts";
import type { UserRecord } from "./records.ts";
import type { World } from "./world.ts";
import { asText } from "./text.ts";

export type NewMessage = {
  channel: ChannelRecord;
  author: UserRecord;
  body: Json;
  files: Upload[];
  /** Where the message stands in the request body, for error paths. */
  prefix?: string[];
  interactionId?: string;
  visibleTo?: string;
  loading?: boolean;
  replyTo?: MessageRecord;
};

const SETTABLE =
  MessageFlag.suppressEmbeds |
  MessageFlag.suppressNotifications |
  MessageFlag.voiceMessage |
  MessageFlag.componentsV2;

const SELECT_DEFAULTS: Json = { min_values: 1, max_values: 1, disabled: false };

/** By component type. */
const COMPONENT_DEFAULTS: Record<number, Json> = {
  3: SELECT_DEFAULTS,
  5: SELECT_DEFAULTS,
  6: SELECT_DEFAULTS,
  7: SELECT_DEFAULTS,
  8: SELECT_DEFAULTS,
  11: { description: null, spoiler: false },
  13: { spoiler: false },
  14: { spacing: 1, divider: true },
  17: { accent_color: null, spoiler: false },
};

/** Checks and posts a message, and tells everybody. */
export function createMessage(world: World, input: NewMessage): MessageRecord {
  const { channel, author, body, replyTo } = input;
  const asked = Number(body["flags"] ?? 0) & SETTABLE;
  const isV2 = Boolean(asked & MessageFlag.componentsV2);
  if (!input.loading) checkMessageBody(body, isV2, input.prefix ?? []);
  const isEphemeral = input.visibleTo !== undefined;
  const attachments = mergeAttachments(world, {
    channelId: channel.id,
    listed: body["attachments"] as Json[] | undefined | null,
    files: input.files,
    existing: [],
    ephemeral: isEphemeral,
    prefix: input.prefix ?? [],
  });
  const message: MessageRecord = {
    id: world.ids.next(),
    channelId: channel.id,
    author,
    type: input.interactionId !== undefined && input.replyTo === undefined ? 20 : replyTo ? 19 : 0,
    content: asText(body["content"]).trim(),
    embeds: (body["embeds"] ?? []) as Json[],
    components: completeComponents(body["components"]),
    flags: asked | (isEphemeral ? MessageFlag.ephemeral : 0) | (input.loading ? MessageFlag.loading : 0),
    attachments,
    pinged: findPinged(world, channel, author, body, replyTo),
    createdAt: world.clock.now(),
    editedAt: undefined,
    deleted: false,
    nonce: (body["nonce"] ?? undefined) as string | number | undefined,
    reference: replyTo && { messageId: replyTo.id, channelId: replyTo.channelId },
    interactionId: input.interactionId,
    visibleTo: input.visibleTo,
  };
  if (!input.loading) checkResult(message, input.prefix ?? []);
  keep(world, message.attachments);
  world.messages.set(message.id, message);
  world.messageChanged.emit({ kind: "create", message });
  return message;
}

/** Checks and applies an edit; what the body does not name stays as it was, and nobody is pinged. */
export function editMessage(
  world: World,
  message: MessageRecord,
  body: Json,
  files: Upload[],
  prefix: string[] = [],
): MessageRecord {
  if (message.flags & MessageFlag.voiceMessage) throw refuse("voiceNotEditable");
  const merged = mergeBody(message, body);
  const flags = mergeFlags(message, body, prefix);
  checkMessageBody(merged, Boolean(flags & MessageFlag.componentsV2), prefix);
  const draft: MessageRecord = {
    ...message,
    content: asText(merged["content"]).trim(),
    embeds: (merged["embeds"] ?? []) as Json[],
    components:
      body["components"] === undefined ? message.components : completeComponents(body["components"]),
    flags,
    attachments: mergeAttachments(world, {
      channelId: message.channelId,
      listed: body["attachments"] as Json[] | undefined | null,
      files,
      existing: message.attachments,
      ephemeral: message.visibleTo !== undefined,
      prefix,
    }),
    editedAt: world.clock.now(),
  };
  checkResult(draft, prefix);
  keep(world, draft.attachments);
  Object.assign(message, draft);
  world.messageChanged.emit({ kind: "update", message });
  return message;
}

export function deleteMessage(world: World, message: MessageRecord): void {
  message.deleted = true;
  world.messageChanged.emit({ kind: "delete", message });
}

function keep(world: World, attachments: AttachmentRecord[]): void {
  for (const attachment of attachments) world.attachments.set(attachment.id, attachment);
}

function mergeBody(message: MessageRecord, body: Json): Json {
  const pick = (field: "content" | "embeds" | "components") =>
    body[field] === undefined ? message[field] : body[field];
  return { ...body, content: pick("content"), embeds: pick("embeds"), components: pick("components") };
}

function mergeFlags(message: MessageRecord, body: Json, prefix: string[]): number {
  const kept = message.flags & ~MessageFlag.loading;
  if (body["flags"] === undefined || body["flags"] === null) return kept;
  const asked = Number(body["flags"]);
  if (kept & MessageFlag.componentsV2 && !(asked & MessageFlag.componentsV2)) {
    throw refuseField(
      [...prefix, "flags"],
      "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG",
      "The MessageFlags.IS_COMPONENTS_V2 flag cannot be removed from a message",
    );
  }
  const changeable = MessageFlag.suppressEmbeds | MessageFlag.componentsV2;
  return (kept & ~changeable) | (asked & changeable);
}

function checkResult(message: MessageRecord, prefix: string[]): void {
  if (message.flags & MessageFlag.voiceMessage) checkVoiceMessage(message);
  const parts = [message.embeds, message.components, message.attachments];
  if (message.content === "" && parts.every((part) => part.length === 0)) throw refuse("emptyMessage");
  for (const { component, path } of listComponents(message.components, [...prefix, "components"])) {
    for (const media of listMedia(component)) {
      if (!media.startsWith("attachment://") || findReferenced(message.attachments, media)) continue;
      const code = "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND";
      throw refuseField(path, code, `The referenced attachment was not found: ${media}`);
    }
  }
}

function listMedia(component: Json): string[] {
  const items = Array.isArray(component["items"]) ? (component["items"] as Json[]) : [];
  return [component["file"], component["media"], ...items.map((item) => item["media"])].flatMap((media) => {
    const url = typeof media === "object" && media !== null ? (media as Json)["url"] : undefined;
    return typeof url === "string" ? [url] : [];
  });
}

function checkVoiceMessage(message: MessageRecord): void {
  if (message.content || message.embeds.length || message.components.length) throw refuse("voiceNoContent");
  const [audio] = message.attachments;
  if (!audio || message.attachments.length > 1) throw refuse("voiceOneAttachment");
  if (audio.durationSecs === undefined || audio.waveform === undefined) throw refuse("voiceNoMetadata");
}

/** Discord numbers every component that does not bring an id of its own, and fills in what was left to it. */
function completeComponents(components: unknown): Json[] {
  const copy = structuredClone((components ?? []) as Json[]);
  const all = listComponents(copy, []).map(({ component }) => component);
  const taken = new Set(all.map((component) => component["id"]).filter(Boolean));
  let next = 1;
  for (const component of all) {
    Object.assign(component, { ...COMPONENT_DEFAULTS[Number(component["type"])], ...component });
    const items = component["items"] as Json[] | undefined;
    if (items) component["items"] = items.map((item) => ({ description: null, spoiler: false, ...item }));
    if (component["id"]) continue;
    while (taken.has(next)) next += 1;
    component["id"] = next;
    next += 1;
  }
  return copy;
}
