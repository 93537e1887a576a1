import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SandboxClock } from "./clock.ts";
import { type FailOptions, Faults, type LimitOptions } from "./faults.ts";
import { Gateway } from "./gateway.ts";
import { Guild, type GuildInput, makeGuild } from "./guild.ts";
import { createHttpServer, type RequestRecord } from "./http-server.ts";
import { dispatchMessages } from "./message-dispatch.ts";
import type { CommandRecord } from "./records.ts";
import { MESSAGE_ROUTES } from "./routes/channel-messages.ts";
import { COMMAND_ROUTES } from "./routes/commands.ts";
import { GENERAL_ROUTES } from "./routes/general.ts";
import { INTERACTION_ROUTES } from "./routes/interactions.ts";
import { WEBHOOK_ROUTES } from "./routes/webhooks.ts";
import { Signal } from "./signal.ts";
import { type MessageView, viewMessage } from "./view.ts";
import { Voice } from "./voice/voice.ts";
import { type Dispatch, World } from "./world.ts";

export type DiscordOptions = {
  /** 0, the default, takes a free one. */
  port?: number;
  log?: (line: string) => void;
  /** Privileged intents the bot has been granted; others close the gateway with 4014. */
  privilegedIntents?: number;
};

const MOST_REQUESTS = 5000;
const ROUTES = [
  ...GENERAL_ROUTES,
  ...COMMAND_ROUTES,
  ...MESSAGE_ROUTES,
  ...INTERACTION_ROUTES,
  ...WEBHOOK_ROUTES,
];

/** Starts a Discord of our own on loopback: REST, gateway and CDN behind one port. */
export async function startDiscord(options: DiscordOptions = {}): Promise<DiscordStandIn> {
  const { port = 0, log = () => {}, privilegedIntents = 0 } = options;
  const world = new World(new SandboxClock());
  const faults = new Faults();
  const served = new Signal<RequestRecord>();
  const server = createHttpServer({ world, routes: ROUTES, faults, served, log });
  const gateway = new Gateway(world, { privilegedIntents, log });
  gateway.attach(server);
  dispatchMessages(world);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  world.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const voice = await Voice.start(world, log);
  return new DiscordStandIn({ world, faults, served, server, gateway, voice });
}

type Parts = {
  world: World;
  faults: Faults;
  served: Signal<RequestRecord>;
  server: Server;
  gateway: Gateway;
  voice: Voice;
};

/** A running stand-in for Discord. */
export class DiscordStandIn implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #requests: RequestRecord[] = [];
  #closing: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.served.listen((request) => {
      this.#requests.push(request);
      if (this.#requests.length > MOST_REQUESTS) this.#requests.shift();
    });
  }

  /** Where discord.js finds the REST API: its option `rest.api`. */
  get url(): string {
    return `${this.origin}/api`;
  }

  get origin(): string {
    return this.#parts.world.origin;
  }

  get token(): string {
    return this.#parts.world.token;
  }

  get applicationId(): string {
    return this.#parts.world.application.id;
  }

  get botUserId(): string {
    return this.#parts.world.bot.id;
  }

  /** The voice servers: what was heard there, and what is to go wrong there. */
  get voice(): Voice {
    return this.#parts.voice;
  }

  /**
   * The voice servers' certificate in PEM. A process trusts it through `tls.setDefaultCACertificates`, or from its
   * start through a file named by NODE_EXTRA_CA_CERTS.
   */
  get voiceCertificate(): string {
    return this.#parts.voice.certificate;
  }

  addGuild(input?: GuildInput): Guild {
    const { world, gateway } = this.#parts;
    const record = makeGuild(world, input);
    gateway.announceGuild(record);
    return new Guild(world, record);
  }

  /** The messages of a channel that everybody there sees, oldest first; with `asSeenBy`, also what only that member does. */
  messages(channel: { id: string }, asSeenBy?: { id: string }): MessageView[] {
    return [...this.#parts.world.messages.values()]
      .filter((message) => message.channelId === channel.id && !message.deleted)
      .filter(({ visibleTo }) => visibleTo === undefined || visibleTo === asSeenBy?.id)
      .map((message) => viewMessage(this.#parts.world, message));
  }

  directMessages(member: { id: string }): MessageView[] {
    return this.messages(this.#parts.world.directChannel(member.id));
  }

  /** The bytes of an attachment, also of one that its message has dropped. */
  attachmentBytes(attachmentId: string): Uint8Array {
    const attachment = this.#parts.world.attachments.get(attachmentId);
    if (!attachment) throw new Error(`There is no attachment ${attachmentId}.`);
    return attachment.data;
  }

  /** Answers the next matching requests with 429. */
  limitNext(options: LimitOptions): void {
    this.#parts.faults.add({ kind: "limit", options });
  }

  /** Makes the next matching requests fail. Paths are without `/api/v10`; attachments count too. */
  failNext(options: FailOptions): void {
    this.#parts.faults.add({ kind: "fail", options });
  }

  /** Takes back limits and failures that have hit nothing yet. */
  clearFaults(): void {
    this.#parts.faults.clear();
  }

  /** How many bytes answers to interactions may carry from now on; `undefined` leaves it to the guild's tier. */
  setInteractionUploadLimit(bytes: number | undefined): void {
    this.#parts.world.interactionUploadLimit = bytes;
  }

  /** The stand-in's time, in milliseconds since the Unix epoch. */
  now(): number {
    return this.#parts.world.clock.now();
  }

  /** Lets time pass: tokens and addresses age, unanswered interactions fail. */
  advance(ms: number): void {
    this.#parts.world.clock.advance(ms);
  }

  /** Cuts the bot's gateway connection, with code 4000 unless told otherwise; it may resume unless told otherwise. */
  disconnectGateway(options?: { code?: number; resumable?: boolean }): void {
    this.#parts.gateway.disconnect(options);
  }

  /** The last requests, oldest first. */
  requests(): RequestRecord[] {
    return [...this.#requests];
  }

  onRequest(listener: (request: RequestRecord) => void): () => void {
    return this.#parts.served.listen(listener);
  }

  /** Listens to events that went out to the bot. */
  onDispatch(listener: (dispatch: Pick<Dispatch, "event" | "data">) => void): () => void {
    return this.#parts.gateway.sent.listen(listener);
  }

  /** The registered commands, global ones and those of guilds. */
  commands(): CommandRecord[] {
    return structuredClone([...this.#parts.world.commands.values()]);
  }

  /** How often commands were written: bulk overwrites, creations, edits, deletions. */
  get commandWrites(): number {
    return this.#parts.world.commandWrites;
  }

  /** Resolves once a bot has identified and was sent READY, also when that was before. */
  ready(signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { gateway } = this.#parts;
    const stop = gateway.identified.listen(() => resolve());
    const abort = () => reject(new Error("No bot has identified", { cause: signal?.reason }));
    signal?.addEventListener("abort", abort, { once: true });
    if (gateway.isConnected) resolve();
    else if (signal?.aborted) abort();
    return promise.finally(() => {
      stop();
      signal?.removeEventListener("abort", abort);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { world, gateway, server, voice } = this.#parts;
    world.clock.close();
    gateway.close();
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await Promise.all([closed, voice[Symbol.asyncDispose]()]);
  }
}
