import type { Room } from "./room.ts";
import type { VoiceSession } from "./session.ts";

/** The bot's leave to join one channel's call at one voice server, as VOICE_SERVER_UPDATE hands it out. */
export type Ticket = {
  guildId: string;
  userId: string;
  /** Of the bot's voice state. */
  sessionId: string;
  token: string;
  room: Room;
  session: VoiceSession | undefined;
};
