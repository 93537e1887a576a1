import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import type { Json } from "../records.ts";
import type { Speaker } from "./room.ts";
import type { Ticket } from "./ticket.ts";

const MOST_KEPT = 256;
const SEQUENCES = 0x1_0000;

type Kept = { sequence: number; data: string | Buffer };

/** What the bot has at a voice server, across resumes: its number, its key, and the messages it may have missed. */
export class VoiceSession implements Speaker {
  readonly ticket: Ticket;
  readonly ssrc: number;
  readonly secretKey = randomBytes(32);
  /** Where the bot's datagrams come from, once it has said so. */
  address: { address: string; port: number } | undefined;
  /** Set by the first Speaking; before that nothing is passed on. */
  hasSpoken = false;
  #socket: WebSocket | undefined;
  #sequence = 0;
  #kept: Kept[] = [];

  constructor(ticket: Ticket, ssrc: number, socket: WebSocket) {
    this.ticket = ticket;
    this.ssrc = ssrc;
    this.#socket = socket;
  }

  get userId(): string {
    return this.ticket.userId;
  }

  get socket(): WebSocket | undefined {
    return this.#socket;
  }

  sendJson(op: number, data: Json): void {
    const sequence = this.#nextSequence();
    this.#send({ sequence, data: JSON.stringify({ op, d: data, seq: sequence }) });
  }

  sendBinary(op: number, payload: Buffer): void {
    const sequence = this.#nextSequence();
    const head = Buffer.from([sequence >> 8, sequence & 0xff, op]);
    this.#send({ sequence, data: Buffer.concat([head, payload]) });
  }

  /** Continues on another socket after message `acknowledged`; false if those since are no longer all known. */
  resume(socket: WebSocket, acknowledged: number, resumed: string): boolean {
    const missing = (this.#sequence - Math.max(acknowledged, 0) + SEQUENCES) % SEQUENCES;
    if (missing > this.#kept.length) return false;
    this.#socket = socket;
    socket.send(resumed);
    for (const { data } of this.#kept.slice(this.#kept.length - missing)) socket.send(data);
    return true;
  }

  detach(socket: WebSocket): void {
    if (this.#socket === socket) this.#socket = undefined;
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) % SEQUENCES;
    return this.#sequence;
  }

  #send(message: Kept): void {
    this.#kept.push(message);
    if (this.#kept.length > MOST_KEPT) this.#kept.shift();
    if (this.#socket?.readyState === this.#socket?.OPEN) this.#socket?.send(message.data);
  }
}
