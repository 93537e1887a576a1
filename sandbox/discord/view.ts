import type { APIEmbed } from "discord-api-types/v10";
import { writeMessage } from "./message-json.ts";
import { listComponents } from "./message-rules.ts";
import { type Json, MessageFlag, type MessageRecord, type Pinged } from "./records.ts";
import type { World } from "./world.ts";

type ButtonView = {
  customId: string | undefined;
  label: string | undefined;
  url: string | undefined;
  disabled: boolean;
};

type SelectView = {
  customId: string;
  placeholder: string | undefined;
  disabled: boolean;
  options: { label: string; value: string; description?: string }[];
};

/** `durationSecs` and `waveform` (base64) are those of a voice message. */
type AttachmentView = {
  id: string;
  filename: string;
  size: number;
  url: string;
  contentType: string | undefined;
  durationSecs: number | undefined;
  waveform: string | undefined;
};

/** A message as it was at one moment. Times are milliseconds since the Unix epoch, on the stand-in's clock. */
export type MessageView = {
  id: string;
  channelId: string;
  author: { id: string; username: string; bot: boolean };
  content: string;
  embeds: APIEmbed[];
  components: Json[];
  buttons: ButtonView[];
  selects: SelectView[];
  flags: number;
  ephemeral: boolean;
  /** A deferred answer that shows "thinking" still. */
  loading: boolean;
  attachments: AttachmentView[];
  pinged: Pinged;
  createdAt: number;
  editedAt: number | undefined;
  deleted: boolean;
  reference: { messageId: string; channelId: string } | undefined;
};

/** Takes a snapshot of a message. */
export function viewMessage(world: World, message: MessageRecord): MessageView {
  const written = structuredClone(writeMessage(world, message));
  const components = written["components"] as Json[];
  const all = listComponents(components, []).map(({ component }) => component);
  const { id, username, bot } = message.author;
  return {
    id: message.id,
    channelId: message.channelId,
    author: { id, username, bot },
    content: message.content,
    embeds: written["embeds"] as APIEmbed[],
    components,
    buttons: all.filter((component) => component["type"] === 2).map(viewButton),
    selects: all.filter((component) => component["type"] === 3).map(viewSelect),
    flags: message.flags,
    ephemeral: message.visibleTo !== undefined,
    loading: Boolean(message.flags & MessageFlag.loading),
    attachments: message.attachments.map((attachment) => ({
      id: attachment.id,
      filename: attachment.filename,
      size: attachment.data.byteLength,
      url: world.attachmentUrl(attachment),
      contentType: attachment.contentType,
      durationSecs: attachment.durationSecs,
      waveform: attachment.waveform,
    })),
    pinged: structuredClone(message.pinged),
    createdAt: message.createdAt,
    editedAt: message.editedAt,
    deleted: message.deleted,
    reference: message.reference && { ...message.reference },
  };
}

function viewButton(button: Json): ButtonView {
  return {
    customId: optionalText(button["custom_id"]),
    label: optionalText(button["label"]),
    url: optionalText(button["url"]),
    disabled: button["disabled"] === true,
  };
}

function viewSelect(select: Json): SelectView {
  return {
    customId: String(select["custom_id"]),
    placeholder: optionalText(select["placeholder"]),
    disabled: select["disabled"] === true,
    options: (select["options"] ?? []) as SelectView["options"],
  };
}

function optionalText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
