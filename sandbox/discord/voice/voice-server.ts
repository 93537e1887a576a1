import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { isIPv4 } from "node:net";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Json } from "../records.ts";
import type { Certificate } from "./certificate.ts";
import { DAVE_VERSION } from "./dave-group.ts";
import type { VoiceFaults } from "./faults.ts";
import { MediaSocket } from "./media.ts";
import { DaveOp, VoiceClose, VoiceOp } from "./opcodes.ts";
import { TRANSPORT_MODE } from "./rtp.ts";
import { VoiceSession } from "./session.ts";
import type { Ticket } from "./ticket.ts";

/** Discord names about this; two without a heartbeat end the session. */
const HEARTBEAT_MS = 13_750;
const MOST_PAYLOAD = 64 * 1024;

export type VoiceServerParts = {
  certificate: Certificate;
  faults: VoiceFaults;
  /** The ticket that was handed out last for a guild. */
  findTicket: (guildId: string) => Ticket | undefined;
  isAudible: (session: VoiceSession) => boolean;
  log: (line: string) => void;
};

/** Refuses what a client sent, and closes its socket with a code. */
class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

type Connection = { socket: WebSocket; session: VoiceSession | undefined; heartbeat: NodeJS.Timeout };

/** One voice server: the voice gateway (version 8) over TLS and its UDP socket, both on loopback. */
export class VoiceServer {
  readonly #parts: VoiceServerParts;
  readonly #https: Server;
  readonly #webSockets: WebSocketServer;
  readonly #media: MediaSocket;
  readonly #connections = new Set<Connection>();

  private constructor(parts: VoiceServerParts) {
    this.#parts = parts;
    this.#https = createServer(parts.certificate);
    this.#webSockets = new WebSocketServer({ server: this.#https, maxPayload: MOST_PAYLOAD });
    this.#webSockets.on("connection", (socket, request) => this.#welcome(socket, request.url ?? "/"));
    this.#media = new MediaSocket({
      faults: parts.faults,
      isAudible: parts.isAudible,
      onUnannounced: (session) => this.end(session, VoiceClose.badRequest),
    });
  }

  static async start(parts: VoiceServerParts): Promise<VoiceServer> {
    const server = new VoiceServer(parts);
    await server.#media.open();
    server.#https.listen(0, "127.0.0.1");
    await once(server.#https, "listening");
    return server;
  }

  /** As VOICE_SERVER_UPDATE names it. */
  get endpoint(): string {
    return `127.0.0.1:${(this.#https.address() as AddressInfo).port}`;
  }

  /** Ends a session for good. Without a code its socket stays open, but nothing it sends is taken any more. */
  end(session: VoiceSession, code?: number): void {
    const { ticket, socket } = session;
    this.#media.remove(session);
    ticket.room.dismiss(session);
    if (ticket.session === session) ticket.session = undefined;
    if (socket) session.detach(socket);
    if (code !== undefined) socket?.close(code);
  }

  /** Cuts a session's socket off; the session can be resumed. 1006 closes without a word. */
  drop(session: VoiceSession, code: number): void {
    const { socket } = session;
    if (!socket) return;
    session.detach(socket);
    if (code === 1006) socket.terminate();
    else socket.close(code);
  }

  async close(): Promise<void> {
    for (const { socket, heartbeat } of this.#connections) {
      clearTimeout(heartbeat);
      socket.terminate();
    }
    this.#webSockets.close();
    const closed = once(this.#https, "close");
    this.#https.close();
    this.#https.closeAllConnections();
    await Promise.all([closed, this.#media.close()]);
  }

  #welcome(socket: WebSocket, url: string): void {
    socket.on("error", (error) => this.#parts.log(`discord: voice: ${error.message}`));
    if (new URL(url, "https://voice").searchParams.get("v") !== "8") {
      socket.close(VoiceClose.badRequest, "Only version 8 is spoken here.");
      return;
    }
    const heartbeat = setTimeout(() => socket.close(VoiceClose.sessionTimeout), 2 * HEARTBEAT_MS).unref();
    const connection: Connection = { socket, session: undefined, heartbeat };
    this.#connections.add(connection);
    socket.on("message", (data, isBinary) => this.#receive(connection, data, isBinary));
    socket.on("close", (code) => {
      clearTimeout(heartbeat);
      this.#connections.delete(connection);
      this.#lose(connection, code);
    });
    socket.send(JSON.stringify({ op: VoiceOp.hello, d: { v: 8, heartbeat_interval: HEARTBEAT_MS } }));
  }

  /** A socket is gone. A client that says goodbye, or that is told to go for good, ends its session. */
  #lose({ socket, session }: Connection, code: number): void {
    if (session?.socket !== socket) return;
    const mayResume = code === VoiceClose.serverCrashed || (code < 4000 && code !== 1000 && code !== 1001);
    if (mayResume) session.detach(socket);
    else this.end(session);
  }

  #receive(connection: Connection, data: RawData, isBinary: boolean): void {
    const { socket, session } = connection;
    if (socket.readyState !== socket.OPEN) return;
    try {
      if (session && session.socket !== socket)
        throw new Refusal(VoiceClose.sessionInvalid, "Session is no longer valid.");
      if (isBinary) this.#handleBinary(connection, data as Buffer);
      else this.#handle(connection, data as Buffer);
    } catch (error) {
      const code = error instanceof Refusal ? error.code : VoiceClose.badRequest;
      this.#parts.log(`discord: voice: closed with ${code}: ${String(error)}`);
      if (session?.socket === socket) this.end(session);
      socket.close(code);
    }
  }

  #handle(connection: Connection, data: Buffer): void {
    const { op, d } = parseFrame(data);
    const { session } = connection;
    if (op === VoiceOp.heartbeat) this.#acknowledge(connection, d);
    else if (op === VoiceOp.identify) this.#identify(connection, d);
    else if (op === VoiceOp.resume) this.#resume(connection, d);
    else if (!session) throw new Refusal(VoiceClose.notAuthenticated, "Not authenticated.");
    else if (op === VoiceOp.selectProtocol) this.#selectProtocol(session, d);
    else if (op === VoiceOp.speaking) this.#speak(session, d);
    else if (op === DaveOp.transitionReady)
      session.ticket.room.group?.receiveReady(session.userId, Number(d["transition_id"]));
    else if (op === DaveOp.invalidCommitWelcome) session.ticket.room.group?.receiveInvalid(session.userId);
    else throw new Refusal(VoiceClose.unknownOpcode, `Unknown opcode ${op}.`);
  }

  #handleBinary({ session }: Connection, data: Buffer): void {
    if (!session) throw new Refusal(VoiceClose.notAuthenticated, "Not authenticated.");
    const { group } = session.ticket.room;
    const [op, payload] = [data.readUInt8(0), data.subarray(1)];
    if (op === DaveOp.keyPackage) group?.receiveKeyPackage(session.userId, payload);
    else if (op === DaveOp.commitWelcome) group?.receiveCommit(session.userId, payload);
    else throw new Refusal(VoiceClose.unknownOpcode, `Unknown opcode ${op}.`);
  }

  #acknowledge({ socket, heartbeat }: Connection, d: Json): void {
    if (typeof d["t"] !== "number" || !Number.isInteger(d["seq_ack"] ?? -1))
      throw new Refusal(VoiceClose.decodeError, "A heartbeat of version 8 carries t and seq_ack.");
    heartbeat.refresh();
    socket.send(JSON.stringify({ op: VoiceOp.heartbeatAck, d: { t: d["t"] } }));
  }

  #identify(connection: Connection, d: Json): void {
    if (connection.session) throw new Refusal(VoiceClose.alreadyAuthenticated, "Already authenticated.");
    const refusal = this.#parts.faults.takeRefusal();
    if (refusal !== undefined) throw new Refusal(refusal, "Refused, as asked.");
    const ticket = this.#authenticate(d);
    if (d["user_id"] !== ticket.userId)
      throw new Refusal(VoiceClose.authenticationFailed, "Authentication failed.");
    const version = Number(d["max_dave_protocol_version"] ?? 0);
    if (ticket.room.group && version < DAVE_VERSION)
      throw new Refusal(VoiceClose.daveRequired, "E2EE/DAVE protocol required.");
    if (this.#parts.faults.neverReady) return;
    if (ticket.session) this.end(ticket.session, VoiceClose.sessionInvalid);
    const session = new VoiceSession(ticket, randomInt(1, 2 ** 32), connection.socket);
    ticket.session = session;
    connection.session = session;
    this.#media.add(session);
    const { port } = this.#media;
    session.sendJson(VoiceOp.ready, { ssrc: session.ssrc, ip: "127.0.0.1", port, modes: [TRANSPORT_MODE] });
    ticket.room.admit(session);
  }

  #authenticate(d: Json): Ticket {
    const ids = ["server_id", "session_id", "token"].map((key) => d[key]);
    if (!ids.every((id) => typeof id === "string"))
      throw new Refusal(VoiceClose.decodeError, "Failed to decode payload.");
    const ticket = this.#parts.findTicket(String(d["server_id"]));
    if (!ticket) throw new Refusal(VoiceClose.serverNotFound, "Server not found.");
    if (d["token"] !== ticket.token)
      throw new Refusal(VoiceClose.authenticationFailed, "Authentication failed.");
    if (d["session_id"] !== ticket.sessionId)
      throw new Refusal(VoiceClose.sessionInvalid, "Session is no longer valid.");
    return ticket;
  }

  #resume(connection: Connection, d: Json): void {
    if (connection.session) throw new Refusal(VoiceClose.alreadyAuthenticated, "Already authenticated.");
    const { session } = this.#authenticate(d);
    const { socket } = connection;
    const acknowledged = Number(d["seq_ack"] ?? -1);
    const resumed = JSON.stringify({ op: VoiceOp.resumed, d: null });
    if (!session || session.socket || !session.resume(socket, acknowledged, resumed))
      throw new Refusal(VoiceClose.sessionInvalid, "Session is no longer valid.");
    connection.session = session;
  }

  #selectProtocol(session: VoiceSession, d: Json): void {
    if (d["protocol"] !== "udp") throw new Refusal(VoiceClose.unknownProtocol, "Unknown protocol.");
    const { address, port, mode } = (d["data"] ?? {}) as Json;
    if (mode !== TRANSPORT_MODE) throw new Refusal(VoiceClose.unknownEncryption, "Unknown encryption mode.");
    if (typeof address !== "string" || !isIPv4(address) || typeof port !== "number")
      throw new Refusal(VoiceClose.decodeError, "Failed to decode payload.");
    session.address = { address, port };
    const { group } = session.ticket.room;
    session.sendJson(VoiceOp.sessionDescription, {
      mode,
      secret_key: [...session.secretKey],
      audio_codec: "opus",
      media_session_id: session.ticket.sessionId,
      dave_protocol_version: group ? DAVE_VERSION : 0,
    });
    group?.join(session);
  }

  #speak(session: VoiceSession, d: Json): void {
    const flags = Number(d["speaking"]);
    if (d["ssrc"] !== session.ssrc || !Number.isInteger(flags))
      throw new Refusal(VoiceClose.badRequest, "Invalid SSRC.");
    session.ticket.room.heard.addSpeaking(flags);
    if (session.hasSpoken || flags === 0) return;
    session.hasSpoken = true;
    this.#media.release(session);
  }
}

function parseFrame(data: Buffer): { op: number; d: Json } {
  try {
    const frame = JSON.parse(data.toString("utf8")) as { op?: unknown; d?: unknown };
    const { op, d } = frame;
    if (typeof op === "number" && typeof d === "object" && d !== null) return { op, d: d as Json };
  } catch {
    // Answered below, as any other payload that says nothing.
  }
  throw new Refusal(VoiceClose.decodeError, "Failed to decode payload.");
}
