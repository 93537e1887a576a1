import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import { Intent, mayReadContent } from "./intents.ts";
import type { Json } from "./records.ts";
import type { Dispatch, World } from "./world.ts";

export type Frame = { op: number; d: unknown; s?: number | null; t?: string | null };

const MOST_KEPT = 1000;

/** What one identified bot is told, with the last events kept for when it resumes. */
export class GatewaySession {
  readonly id = randomBytes(16).toString("hex");
  readonly intents: number;
  readonly #world: World;
  readonly #shard: readonly [number, number];
  #socket: WebSocket | undefined;
  #sequence = 0;
  #kept: Frame[] = [];

  constructor(world: World, intents: number, shard: readonly [number, number], socket: WebSocket) {
    this.#world = world;
    this.intents = intents;
    this.#shard = shard;
    this.#socket = socket;
  }

  get socket(): WebSocket | undefined {
    return this.#socket;
  }

  /** Whether events of a guild (or of direct messages) go to this shard. */
  covers(guildId: string | undefined): boolean {
    const [index, count] = this.#shard;
    return guildId === undefined ? index === 0 : Number((BigInt(guildId) >> 22n) % BigInt(count)) === index;
  }

  /** Passes an event on if the session asked for it; true if so. */
  offer(dispatch: Dispatch): boolean {
    if (!this.covers(dispatch.guildId)) return false;
    if (dispatch.intents !== 0 && (this.intents & dispatch.intents) === 0) return false;
    const { message } = dispatch;
    const hidden =
      message && !mayReadContent(this.intents, message, this.#world.bot.id, dispatch.guildId === undefined);
    const data = hidden
      ? { ...dispatch.data, content: "", embeds: [], attachments: [], components: [] }
      : dispatch.data;
    this.send(dispatch.event, data);
    return true;
  }

  send(event: string, data: Json): void {
    this.#sequence += 1;
    // Written down at once, for what it describes may have changed by the time it is replayed.
    const frame = structuredClone({ op: 0, t: event, s: this.#sequence, d: data });
    this.#kept.push(frame);
    if (this.#kept.length > MOST_KEPT) this.#kept.shift();
    writeFrame(this.#socket, frame);
  }

  /** Continues on another socket after event `sequence`; false if those since are no longer all known. */
  resume(socket: WebSocket, sequence: number): boolean {
    const missed = this.#kept.filter(({ s }) => (s ?? 0) > sequence);
    if (sequence > this.#sequence || missed.length !== this.#sequence - sequence) return false;
    this.#socket = socket;
    for (const frame of missed) writeFrame(socket, frame);
    this.send("RESUMED", { _trace: [] });
    return true;
  }

  /** The socket is gone; events are kept from now on. */
  detach(socket: WebSocket): void {
    if (this.#socket === socket) this.#socket = undefined;
  }

  /** Without the presence intent a bot is told of no members but itself. */
  seesAllMembers(): boolean {
    return Boolean(this.intents & Intent.guildPresences);
  }
}

export function writeFrame(socket: WebSocket | undefined, frame: Frame): void {
  if (socket?.readyState !== socket?.OPEN) return;
  socket?.send(JSON.stringify({ s: null, t: null, ...frame }));
}
