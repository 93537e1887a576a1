import { DaveGroup, type DaveClient } from "./dave-group.ts";
import { DaveListener } from "./dave-listener.ts";
import { type Heard, isSilence } from "./heard.ts";
import type { ExternalSender } from "./mls.ts";
import { VoiceOp } from "./opcodes.ts";
import type { RtpPacket } from "./rtp.ts";

/** The bot as the room reaches it. */
export interface Speaker extends DaveClient {
  readonly ssrc: number;
}

/** One voice channel's call: the members who listen, and the bot. */
export class Room {
  readonly channelId: string;
  readonly heard: Heard;
  readonly #listeners = new Map<string, DaveListener | undefined>();
  readonly #group: DaveGroup | undefined;
  #speaker: Speaker | undefined;

  /** Without a sender there is no end-to-end encryption. */
  constructor(
    channelId: string,
    heard: Heard,
    dave: { sender: ExternalSender; spoilWelcome: () => boolean } | undefined,
  ) {
    this.channelId = channelId;
    this.heard = heard;
    this.#group = dave && new DaveGroup(channelId, dave.sender, dave.spoilWelcome);
  }

  /** The epoch of the call's MLS group; 0 while there is none. */
  get epoch(): number {
    return Number(this.#group?.epoch ?? 0n);
  }

  get group(): DaveGroup | undefined {
    return this.#group;
  }

  addListener(userId: string): void {
    if (this.#listeners.has(userId)) return;
    const listener =
      this.#group && new DaveListener(userId, this.channelId, this.#group, () => this.#userIds());
    this.#listeners.set(userId, listener);
    this.#speaker?.sendJson(VoiceOp.clientsConnect, { user_ids: [userId] });
    if (listener) this.#group?.join(listener);
  }

  removeListener(userId: string): void {
    this.#listeners.get(userId)?.leave();
    if (!this.#listeners.delete(userId)) return;
    this.#speaker?.sendJson(VoiceOp.clientDisconnect, { user_id: userId });
    this.#group?.leave(userId);
  }

  /** The bot has identified; it is told who is there. */
  admit(speaker: Speaker): void {
    this.#speaker = speaker;
    if (this.#listeners.size > 0)
      speaker.sendJson(VoiceOp.clientsConnect, { user_ids: [...this.#listeners.keys()] });
  }

  dismiss(speaker: Speaker): void {
    if (this.#speaker !== speaker) return;
    this.#speaker = undefined;
    this.#group?.leave(speaker.userId);
  }

  /** Lets every listener hear a packet, with whatever keys each of them has. */
  hear(senderId: string, packet: RtpPacket, at: number): void {
    const { payload, ssrc, sequence, timestamp } = packet;
    if (this.#listeners.size === 0) {
      this.heard.miss("nobodyThere");
      return;
    }
    const silence = isSilence(payload);
    const encrypted = this.#group !== undefined && !silence;
    const heardBy: string[] = [];
    let opus: Buffer | undefined;
    for (const [userId, listener] of this.#listeners) {
      const frame = encrypted ? listener?.decrypt(senderId, payload) : payload;
      if (!frame) continue;
      opus = frame;
      heardBy.push(userId);
    }
    if (!opus) this.heard.miss("notDecrypted");
    else this.heard.add({ ssrc, sequence, timestamp, at, opus, isSilence: silence, encrypted, heardBy });
  }

  close(): void {
    this.#group?.close();
    for (const listener of this.#listeners.values()) listener?.leave();
    this.#listeners.clear();
  }

  #userIds(): string[] {
    return [...this.#listeners.keys(), ...(this.#speaker ? [this.#speaker.userId] : [])];
  }
}
