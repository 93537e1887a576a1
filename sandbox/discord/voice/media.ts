import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import type { VoiceFaults } from "./faults.ts";
import { openPacket, readDiscovery, readSsrc, writeDiscovery } from "./rtp.ts";
import type { VoiceSession } from "./session.ts";

/** One second of frames may run ahead of the first Speaking, which takes another way. */
const MOST_HELD = 50;

type Arrival = { datagram: Buffer; at: number };

export type MediaParts = {
  faults: VoiceFaults;
  isAudible: (session: VoiceSession) => boolean;
  /** Frames came and no Speaking ever did. */
  onUnannounced: (session: VoiceSession) => void;
};

/** The UDP half of a voice server: IP discovery and the RTP packets of the bot. */
export class MediaSocket {
  readonly #parts: MediaParts;
  readonly #socket: Socket = createSocket("udp4");
  readonly #sessions = new Map<number, VoiceSession>();
  readonly #held = new Map<VoiceSession, Arrival[]>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(parts: MediaParts) {
    this.#parts = parts;
    this.#socket.on("message", (datagram, from) => this.#receive(datagram, from));
  }

  async open(): Promise<void> {
    this.#socket.bind(0, "127.0.0.1");
    await once(this.#socket, "listening");
  }

  get port(): number {
    return this.#socket.address().port;
  }

  add(session: VoiceSession): void {
    this.#sessions.set(session.ssrc, session);
  }

  remove(session: VoiceSession): void {
    this.#sessions.delete(session.ssrc);
    this.#held.delete(session);
  }

  /** The session has said that it speaks: what ran ahead of that is passed on now. */
  release(session: VoiceSession): void {
    const held = this.#held.get(session) ?? [];
    this.#held.delete(session);
    for (const arrival of held) this.#hear(session, arrival);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }

  #receive(datagram: Buffer, from: RemoteInfo): void {
    const asking = readDiscovery(datagram);
    if (asking !== undefined) {
      if (!this.#sessions.has(asking) || this.#parts.faults.silentDiscovery) return;
      this.#socket.send(writeDiscovery(asking, from.address, from.port), from.port, from.address);
      return;
    }
    const ssrc = readSsrc(datagram);
    const session = ssrc === undefined ? undefined : this.#sessions.get(ssrc);
    const { address } = session ?? {};
    if (!session || address?.port !== from.port || address.address !== from.address) return;
    this.#travel(session, datagram);
  }

  #travel(session: VoiceSession, datagram: Buffer): void {
    const { faults } = this.#parts;
    if (faults.takeLoss()) {
      session.ticket.room.heard.miss("lost");
      return;
    }
    const delay = faults.takeDelay();
    if (delay === 0) {
      this.#arrive(session, datagram);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#arrive(session, datagram);
    }, delay);
    this.#timers.add(timer);
  }

  #arrive(session: VoiceSession, datagram: Buffer): void {
    if (!this.#sessions.has(session.ssrc)) return;
    const arrival = { datagram, at: performance.now() };
    if (session.hasSpoken) {
      this.#hear(session, arrival);
      return;
    }
    const held = this.#held.get(session) ?? [];
    held.push(arrival);
    this.#held.set(session, held);
    if (held.length > MOST_HELD) this.#parts.onUnannounced(session);
  }

  #hear(session: VoiceSession, { datagram, at }: Arrival): void {
    const packet = openPacket(datagram, session.secretKey);
    if (!packet) return;
    const { room } = session.ticket;
    if (this.#parts.isAudible(session)) room.hear(session.userId, packet, at);
    else room.heard.miss("muted");
  }
}
