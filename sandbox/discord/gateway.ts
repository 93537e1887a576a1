import type { Server } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { type Frame, GatewaySession, writeFrame } from "./gateway-session.ts";
import { Intent, isIntentSet, PRIVILEGED } from "./intents.ts";
import type { GuildRecord, Json } from "./records.ts";
import { writeApplication, writeGuildCreate, writeMember, writeUser } from "./serialize.ts";
import { Signal } from "./signal.ts";
import { requestVoice } from "./voice/request.ts";
import { moveInVoice } from "./voice/states.ts";
import type { Dispatch, World } from "./world.ts";

const Op = {
  dispatch: 0,
  heartbeat: 1,
  identify: 2,
  presence: 3,
  voiceState: 4,
  resume: 6,
  reconnect: 7,
  requestMembers: 8,
  invalidSession: 9,
  hello: 10,
  ack: 11,
} as const;

const Close = {
  unknownOpcode: 4001,
  decodeError: 4002,
  notAuthenticated: 4003,
  authenticationFailed: 4004,
  alreadyAuthenticated: 4005,
  invalidSequence: 4007,
  invalidVersion: 4012,
  invalidIntents: 4013,
  disallowedIntents: 4014,
} as const;

const HEARTBEAT_MS = 41_250;
const MOST_PAYLOAD = 4096;

/** The gateway: sessions of the bot over WebSocket, version 10, JSON. */
export class Gateway {
  /** A bot has identified and was sent READY. */
  readonly identified = new Signal<GatewaySession>();
  /** An event went out to at least one session. */
  readonly sent = new Signal<Dispatch>();
  readonly #world: World;
  readonly #privileged: number;
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #sessions = new Map<string, GatewaySession>();
  readonly #log: (line: string) => void;

  constructor(world: World, options: { privilegedIntents: number; log: (line: string) => void }) {
    this.#world = world;
    this.#privileged = options.privilegedIntents;
    this.#log = options.log;
    world.dispatched.listen((dispatch) => this.#dispatch(dispatch));
  }

  get isConnected(): boolean {
    return [...this.#sessions.values()].some((session) => session.socket !== undefined);
  }

  attach(server: Server): void {
    server.on("upgrade", (request, socket, head) => {
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        const query = new URL(request.url ?? "/", "http://gateway").searchParams;
        this.#welcome(webSocket, query);
      });
    });
  }

  /** Tells every session about a guild, each as much as it may know. */
  announceGuild(guild: GuildRecord): void {
    for (const session of this.#sessions.values()) this.#sendGuild(session, guild);
  }

  /** Cuts the bot off. Unless `resumable`, its session is forgotten, so that resuming fails. */
  disconnect({ code = 4000, resumable = true }: { code?: number; resumable?: boolean } = {}): void {
    for (const session of this.#sessions.values()) {
      const { socket } = session;
      if (!resumable) this.#forget(session);
      if (!socket) continue;
      // What happens from now on is kept for the resume, even before the bot has noticed.
      session.detach(socket);
      socket.close(code, "Sandbox");
    }
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
    this.#sessions.clear();
  }

  #dispatch(dispatch: Dispatch): void {
    const offered = [...this.#sessions.values()].filter((session) => session.offer(dispatch));
    if (offered.length > 0) this.sent.emit(dispatch);
  }

  #welcome(socket: WebSocket, query: URLSearchParams): void {
    socket.on("error", (error) => this.#log(`discord: gateway: ${error.message}`));
    if (query.get("v") !== "10" || query.get("encoding") !== "json" || query.has("compress")) {
      socket.close(Close.invalidVersion, "Only v=10, encoding=json without compression is spoken here.");
      return;
    }
    let session: GatewaySession | undefined;
    socket.on("message", (data) => {
      const frame = parseFrame(data as Buffer);
      if (!frame) socket.close(Close.decodeError, "Error while decoding payload.");
      else session = this.#receive(socket, session, frame) ?? session;
    });
    socket.on("close", (code) => {
      session?.detach(socket);
      // A bot that says goodbye with 1000 or 1001 ends its session.
      if (session && (code === 1000 || code === 1001)) this.#forget(session);
    });
    writeFrame(socket, { op: Op.hello, d: { heartbeat_interval: HEARTBEAT_MS } });
  }

  #receive(socket: WebSocket, session: GatewaySession | undefined, frame: Frame): GatewaySession | undefined {
    const { op, d } = frame;
    if (op === Op.heartbeat) {
      writeFrame(socket, { op: Op.ack, d: null });
    } else if (op === Op.identify || op === Op.resume) {
      if (session) socket.close(Close.alreadyAuthenticated, "Already authenticated.");
      else return op === Op.identify ? this.#identify(socket, d as Json) : this.#resume(socket, d as Json);
    } else if (!session) {
      socket.close(Close.notAuthenticated, "Not authenticated.");
    } else if (op === Op.requestMembers) {
      this.#sendMembers(session, d as Json);
    } else if (op === Op.voiceState) {
      if (!requestVoice(this.#world, d as Json))
        socket.close(Close.decodeError, "Error while decoding payload.");
    } else if (op !== Op.presence) {
      socket.close(Close.unknownOpcode, "Unknown opcode.");
    }
    return undefined;
  }

  /** A session is over for good; the bot leaves voice with its last one. */
  #forget(session: GatewaySession): void {
    this.#sessions.delete(session.id);
    if (this.#sessions.size > 0) return;
    for (const guild of this.#world.guilds.values())
      moveInVoice(this.#world, guild, this.#world.bot.id, undefined, { cause: "gone" });
  }

  #identify(socket: WebSocket, d: Json): GatewaySession | undefined {
    const {
      token,
      intents,
      shard = [0, 1],
    } = d as { token?: string; intents?: unknown; shard?: [number, number] };
    if (String(token).replace(/^Bot /, "") !== this.#world.token) {
      socket.close(Close.authenticationFailed, "Authentication failed.");
      return undefined;
    }
    if (!isIntentSet(intents)) {
      socket.close(Close.invalidIntents, "Invalid intent(s).");
      return undefined;
    }
    if (intents & PRIVILEGED & ~this.#privileged) {
      socket.close(Close.disallowedIntents, "Disallowed intent(s).");
      return undefined;
    }
    const session = new GatewaySession(this.#world, intents, shard, socket);
    this.#sessions.set(session.id, session);
    this.#sendReady(session, shard);
    this.identified.emit(session);
    return session;
  }

  #sendReady(session: GatewaySession, shard: [number, number]): void {
    const world = this.#world;
    const guilds = [...world.guilds.values()].filter(
      (guild) => guild.members.has(world.bot.id) && session.covers(guild.id),
    );
    session.send("READY", {
      v: 10,
      user: { ...writeUser(world.bot), verified: true, mfa_enabled: false, email: null },
      guilds: guilds.map(({ id }) => ({ id, unavailable: true })),
      session_id: session.id,
      resume_gateway_url: world.origin.replace("http", "ws"),
      shard,
      application: { id: world.application.id, flags: writeApplication(world)["flags"] },
      private_channels: [],
      relationships: [],
    });
    for (const guild of guilds) this.#sendGuild(session, guild);
  }

  #sendGuild(session: GatewaySession, guild: GuildRecord): void {
    const world = this.#world;
    const members = [...guild.members.values()].filter(
      ({ user }) => user.id === world.bot.id || session.seesAllMembers(),
    );
    const seesVoice = Boolean(session.intents & Intent.guildVoiceStates);
    const data = writeGuildCreate(world, guild, members, seesVoice ? [...guild.voiceStates.values()] : []);
    const dispatch = { event: "GUILD_CREATE", data, guildId: guild.id, intents: Intent.guilds };
    if (session.offer(dispatch)) this.sent.emit(dispatch);
  }

  #resume(socket: WebSocket, d: Json): GatewaySession | undefined {
    const { token, session_id: id, seq } = d as { token?: string; session_id?: string; seq?: number };
    if (String(token).replace(/^Bot /, "") !== this.#world.token) {
      socket.close(Close.authenticationFailed, "Authentication failed.");
      return undefined;
    }
    const session = this.#sessions.get(id ?? "");
    if (session?.resume(socket, Number(seq))) return session;
    writeFrame(socket, { op: Op.invalidSession, d: false });
    return undefined;
  }

  /** Answers a request for guild members, in one chunk. */
  #sendMembers(session: GatewaySession, d: Json): void {
    const { guild_id: guildId, query, limit = 0, user_ids: ids, nonce } = d as MembersRequest;
    const guild = this.#world.guilds.get(String(guildId));
    if (!guild || (query === "" && limit === 0 && !(session.intents & Intent.guildMembers))) return;
    const wanted = ids === undefined ? undefined : [ids].flat();
    const matching = [...guild.members.values()].filter(({ user }) =>
      wanted ? wanted.includes(user.id) : user.username.startsWith(query ?? ""),
    );
    const members = (limit > 0 ? matching.slice(0, limit) : matching).map((member) => writeMember(member));
    const notFound = wanted?.filter((id) => !guild.members.has(id)) ?? [];
    session.send("GUILD_MEMBERS_CHUNK", {
      guild_id: guild.id,
      members,
      chunk_index: 0,
      chunk_count: 1,
      not_found: notFound,
      ...(nonce !== undefined && { nonce }),
    });
  }
}

type MembersRequest = {
  guild_id?: string;
  query?: string;
  limit?: number;
  user_ids?: string | string[];
  nonce?: string;
};

function parseFrame(data: Buffer): Frame | undefined {
  if (data.byteLength > MOST_PAYLOAD) return undefined;
  try {
    const frame: unknown = JSON.parse(data.toString("utf8"));
    return typeof frame === "object" && frame !== null && typeof (frame as Json)["op"] === "number"
      ? (frame as Frame)
      : undefined;
  } catch {
    return undefined;
  }
}
