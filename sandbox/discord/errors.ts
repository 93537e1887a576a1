import type { Json } from "./records.ts";

/** A refusal in Discord's shape; the HTTP server turns it into an answer. */
export class DiscordRefusal extends Error {
  override readonly name = "DiscordRefusal";
  readonly status: number;
  readonly code: number;
  readonly errors: Json | undefined;

  constructor(status: number, code: number, message: string, errors?: Json) {
    super(message);
    this.status = status;
    this.code = code;
    this.errors = errors;
  }

  toJSON(): Json {
    return { message: this.message, code: this.code, ...(this.errors && { errors: this.errors }) };
  }
}

/** Codes and messages from Discord's list of JSON error codes. */
const REFUSALS = {
  notFound: [404, 0, "404: Not Found"],
  unauthorized: [401, 0, "401: Unauthorized"],
  methodNotAllowed: [405, 0, "405: Method Not Allowed"],
  unknownApplication: [404, 10_002, "Unknown Application"],
  unknownChannel: [404, 10_003, "Unknown Channel"],
  unknownGuild: [404, 10_004, "Unknown Guild"],
  unknownMember: [404, 10_007, "Unknown Member"],
  unknownMessage: [404, 10_008, "Unknown Message"],
  unknownUser: [404, 10_013, "Unknown User"],
  unknownWebhook: [404, 10_015, "Unknown Webhook"],
  unknownInteraction: [404, 10_062, "Unknown interaction"],
  unknownCommand: [404, 10_063, "Unknown application command"],
  tooLarge: [413, 40_005, "Request entity too large"],
  alreadyAcknowledged: [400, 40_060, "Interaction has already been acknowledged."],
  missingAccess: [403, 50_001, "Missing Access"],
  notYourMessage: [403, 50_005, "Cannot edit a message authored by another user"],
  emptyMessage: [400, 50_006, "Cannot send an empty message"],
  cannotDirectMessage: [403, 50_007, "Cannot send messages to this user"],
  noText: [403, 50_008, "Cannot send messages in a non-text channel"],
  missingPermissions: [403, 50_013, "Missing Permissions"],
  invalidWebhookToken: [401, 50_027, "Invalid Webhook Token"],
  invalidJson: [400, 50_109, "The request body contains invalid JSON."],
  voiceNoContent: [400, 50_159, "Voice messages do not support additional content."],
  voiceOneAttachment: [400, 50_160, "Voice messages must have a single audio attachment."],
  voiceNoMetadata: [400, 50_161, "Voice messages must have supporting metadata."],
  voiceNotEditable: [400, 50_162, "Voice messages cannot be edited."],
  voiceForbidden: [403, 50_173, "You cannot send voice messages in this channel"],
} as const satisfies Record<string, readonly [number, number, string]>;

/** Makes one of Discord's refusals by name. */
export function refuse(name: keyof typeof REFUSALS): DiscordRefusal {
  const [status, code, message] = REFUSALS[name];
  return new DiscordRefusal(status, code, message);
}

/** One thing that is wrong with a request body, and where. */
export type FormError = { path: (string | number)[]; code: string; message: string };

/** Makes the 50035 answer, with `errors` nested along each path as Discord nests it. */
export function refuseForm(problems: FormError[]): DiscordRefusal {
  const errors: Json = {};
  for (const { path, code, message } of problems) {
    let node = errors;
    for (const key of path) node = (node[String(key)] ??= {}) as Json;
    const list = (node["_errors"] ??= []) as Json[];
    list.push({ code, message });
  }
  return new DiscordRefusal(400, 50_035, "Invalid Form Body", errors);
}

/** The 50035 answer for a single problem. */
export function refuseField(path: (string | number)[], code: string, message: string): DiscordRefusal {
  return refuseForm([{ path, code, message }]);
}
