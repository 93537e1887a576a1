import { randomBytes } from "node:crypto";
import type { GuildRecord } from "../records.ts";
import type { World } from "../world.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { VoiceFaults } from "./faults.ts";
import { Heard } from "./heard.ts";
import { ExternalSender } from "./mls.ts";
import { VoiceClose } from "./opcodes.ts";
import { Room } from "./room.ts";
import type { VoiceSession } from "./session.ts";
import { isAudible, listVoiceMembers, type VoiceMove } from "./states.ts";
import type { Ticket } from "./ticket.ts";
import { VoiceServer } from "./voice-server.ts";

type HasId = { id: string };
/** A ticket and the server it is for. */
type Place = { ticket: Ticket; server: VoiceServer };

/** How long after it was cut off a bot that is moved hears of its new server. */
const MOVE_MS = 50;

/** The voice half of the stand-in, as tests hold it: what was heard, and what is to go wrong. */
export class Voice {
  readonly #world: World;
  readonly #log: (line: string) => void;
  readonly #certificate: Certificate;
  readonly #faults = new VoiceFaults();
  readonly #sender = new ExternalSender();
  readonly #servers: VoiceServer[] = [];
  readonly #rooms = new Map<string, Room>();
  readonly #heard = new Map<string, Heard>();
  readonly #places = new Map<string, Place>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #dave = true;

  private constructor(world: World, log: (line: string) => void) {
    this.#world = world;
    this.#log = log;
    this.#certificate = makeCertificate();
    world.voiceMoved.listen((move) => this.#follow(move));
  }

  static async start(world: World, log: (line: string) => void): Promise<Voice> {
    const voice = new Voice(world, log);
    await voice.#startServer();
    return voice;
  }

  /** The certificate of every voice server in PEM, for the bot to trust. */
  get certificate(): string {
    return this.#certificate.cert;
  }

  /** What was heard in a channel, whoever listened. */
  heard({ id }: HasId): Heard {
    const heard = this.#heard.get(id) ?? new Heard();
    this.#heard.set(id, heard);
    return heard;
  }

  /** Whether the bot has a session at a voice server for this guild, with its socket open. */
  isConnected(guild: HasId): boolean {
    return this.#places.get(guild.id)?.ticket.session?.socket !== undefined;
  }

  /** The epoch of a channel's DAVE group; 0 while there is none. */
  epoch(channel: HasId): number {
    return this.#rooms.get(channel.id)?.epoch ?? 0;
  }

  /** Calls that begin from now on have no end-to-end encryption, as it was before March 2026. */
  withoutDave(): void {
    this.#dave = false;
  }

  /**
   * Closes the bot's voice socket, in every guild unless one is named. The session can be resumed after 4015 and
   * after codes below 4000 (1006 cuts the line without a word); any other code ends it.
   */
  close(code: number, guild?: HasId): void {
    for (const { server, session } of this.#sessions(guild)) {
      if (code === VoiceClose.serverCrashed || code < 4000) server.drop(session, code);
      else server.end(session, code);
    }
  }

  /** Forgets the bot's sessions without closing a socket, so that resuming fails with 4006. */
  forgetSessions(): void {
    for (const { server, session } of this.#sessions()) server.end(session);
  }

  /** Closes with that code instead of accepting the next Identify, as often as told. */
  refuseNext(code: number, times = 1): void {
    this.#faults.refuse(code, times);
  }

  /** From now on requests to join a voice channel (gateway opcode 4) are not answered. */
  ignoreJoins(): void {
    this.#world.ignoresVoiceJoins = true;
  }

  /** From now on Identify is not answered. */
  neverReady(): void {
    this.#faults.neverReady = true;
  }

  /** From now on IP discovery is not answered. */
  silenceDiscovery(): void {
    this.#faults.silentDiscovery = true;
  }

  /** Loses this share (0 to 1) of the bot's packets, evenly spread. */
  losePackets(share: number): void {
    this.#faults.lossShare = share;
  }

  /** Makes packets late; with a share below 1 they also arrive out of order. */
  delayPackets(ms: number, share = 1): void {
    this.#faults.late = { share, ms };
  }

  /** The next DAVE welcome arrives damaged, whoever it is for, and is rejected there. */
  rejectWelcome(): void {
    this.#faults.spoiltWelcomes += 1;
  }

  /** Ends every fault above but `withoutDave`. */
  clearFaults(): void {
    this.#faults.clear();
    this.#world.ignoresVoiceJoins = false;
  }

  /** The guild's voice server goes away: VOICE_SERVER_UPDATE without an endpoint. */
  removeServer(guild: HasId): void {
    const place = this.#places.get(guild.id);
    if (!place) throw new Error("The bot is in no voice channel there.");
    this.#announce(guild.id, place.ticket.token, null);
  }

  /** Takes the guild's call to a new voice server, where everybody joins anew. */
  async assignServer({ id }: HasId): Promise<void> {
    const server = await this.#startServer();
    const place = this.#places.get(id);
    const guild = this.#world.guilds.get(id);
    if (!place || !guild) throw new Error("The bot is in no voice channel there.");
    const { session, room } = place.ticket;
    // The bot's socket stays open: it leaves by itself once it knows the new endpoint.
    if (session) place.server.end(session);
    room.close();
    this.#rooms.delete(room.channelId);
    this.#admit(guild, room.channelId, server);
  }

  /** `removeServer`, then `assignServer`. */
  async moveServer(guild: HasId): Promise<void> {
    this.removeServer(guild);
    await this.assignServer(guild);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const room of this.#rooms.values()) room.close();
    await Promise.all(this.#servers.map((server) => server.close()));
  }

  #sessions(guild?: HasId): { server: VoiceServer; session: VoiceSession }[] {
    return [...this.#places].flatMap(([guildId, { ticket, server }]) =>
      ticket.session && (guild === undefined || guild.id === guildId)
        ? [{ server, session: ticket.session }]
        : [],
    );
  }

  async #startServer(): Promise<VoiceServer> {
    const server = await VoiceServer.start({
      certificate: this.#certificate,
      faults: this.#faults,
      findTicket: (guildId) => {
        const place = this.#places.get(guildId);
        return place?.server === server ? place.ticket : undefined;
      },
      isAudible: ({ ticket }) =>
        isAudible(this.#world.guilds.get(ticket.guildId)?.voiceStates.get(ticket.userId)),
      log: this.#log,
    });
    this.#servers.push(server);
    return server;
  }

  /** Does at the voice server what a change of voice channels brings with it. */
  #follow(move: VoiceMove): void {
    const { guild, userId, from, to } = move;
    if (userId === this.#world.bot.id) this.#followBot(move);
    else if (from !== to) {
      if (from !== undefined) this.#rooms.get(from)?.removeListener(userId);
      if (to !== undefined) this.#room(guild, to).addListener(userId);
    }
    if (from !== undefined && listVoiceMembers(guild, from).length === 0) {
      this.#rooms.get(from)?.close();
      this.#rooms.delete(from);
    }
  }

  #followBot({ guild, from, to, cause }: VoiceMove): void {
    const place = this.#places.get(guild.id);
    const session = place?.ticket.session;
    const socket = session?.socket;
    if (from === to && socket) return;
    const announce = () => {
      if (to !== undefined) this.#admit(guild, to, place?.server);
    };
    if (!place || !session) {
      if (to === undefined) this.#places.delete(guild.id);
      announce();
    } else if (to === undefined) {
      this.#places.delete(guild.id);
      const isAlone = from !== undefined && listVoiceMembers(guild, from).length === 0;
      const isOver = cause === "deleted" || (cause === "kicked" && isAlone);
      place.server.end(session, isOver ? VoiceClose.callTerminated : VoiceClose.disconnected);
    } else if (cause === "moved" && socket) {
      // The bot hears that it is cut off before it hears where to go, though it does so over another line.
      socket.once("close", () => this.#later(announce));
      place.server.end(session, VoiceClose.disconnected);
    } else {
      // A socket that is open stays so: the bot leaves by itself once it knows where to go.
      place.server.end(session);
      announce();
    }
  }

  #later(run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, MOVE_MS);
    this.#timers.add(timer);
  }

  /** The call of a channel; whoever is there already listens from its beginning. */
  #room(guild: GuildRecord, channelId: string): Room {
    const found = this.#rooms.get(channelId);
    if (found) return found;
    const spoilWelcome = () => this.#faults.takeSpoiltWelcome();
    const dave = this.#dave ? { sender: this.#sender, spoilWelcome } : undefined;
    const room = new Room(channelId, this.heard({ id: channelId }), dave);
    this.#rooms.set(channelId, room);
    for (const userId of listVoiceMembers(guild, channelId))
      if (userId !== this.#world.bot.id) room.addListener(userId);
    return room;
  }

  /** Hands the bot a ticket for a channel's call. */
  #admit(guild: GuildRecord, channelId: string, at?: VoiceServer): void {
    const state = guild.voiceStates.get(this.#world.bot.id);
    const server = at ?? this.#servers.at(-1);
    if (!server || state?.channelId !== channelId) return;
    const ticket: Ticket = {
      guildId: guild.id,
      userId: this.#world.bot.id,
      sessionId: state.sessionId,
      token: randomBytes(8).toString("hex"),
      room: this.#room(guild, channelId),
      session: undefined,
    };
    this.#places.set(guild.id, { ticket, server });
    this.#announce(guild.id, ticket.token, server.endpoint);
  }

  #announce(guildId: string, token: string, endpoint: string | null): void {
    const data = { token, guild_id: guildId, endpoint };
    this.#world.dispatched.emit({ event: "VOICE_SERVER_UPDATE", data, guildId, intents: 0 });
  }
}
