import { DAVESession, type MediaType } from "@snazzah/davey";
import { DAVE_VERSION, type DaveClient, type DaveGroup } from "./dave-group.ts";
import { DaveOp } from "./opcodes.ts";

const AUDIO = 0 as MediaType.AUDIO;
const APPEND = 0;

/** A member's end of DAVE: it takes part in the group and decrypts what the others send. */
export class DaveListener implements DaveClient {
  readonly userId: string;
  readonly #channelId: string;
  readonly #group: DaveGroup;
  readonly #knownUsers: () => string[];
  readonly #session: DAVESession;
  #hasLeft = false;

  constructor(userId: string, channelId: string, group: DaveGroup, knownUsers: () => string[]) {
    this.userId = userId;
    this.#channelId = channelId;
    this.#group = group;
    this.#knownUsers = knownUsers;
    this.#session = new DAVESession(DAVE_VERSION, userId, channelId);
  }

  /** Takes no part any more, also not in what is on its way to it. */
  leave(): void {
    this.#hasLeft = true;
  }

  /** Decrypts a frame; undefined when this member cannot. */
  decrypt(senderId: string, frame: Buffer): Buffer | undefined {
    if (!this.#session.ready) return undefined;
    try {
      return this.#session.decrypt(senderId, AUDIO, frame);
    } catch {
      return undefined;
    }
  }

  sendJson(op: number, data: { [key: string]: unknown }): void {
    if (op === DaveOp.prepareEpoch && data["epoch"] === 1) this.#later(() => this.#startOver());
  }

  sendBinary(op: number, payload: Buffer): void {
    this.#later(() => this.#receive(op, payload));
  }

  // So that the group is done telling the others first.
  #later(handle: () => void): void {
    queueMicrotask(() => {
      if (!this.#hasLeft) handle();
    });
  }

  #receive(op: number, payload: Buffer): void {
    if (op === DaveOp.externalSender) {
      this.#session.setExternalSender(payload);
      this.#sendKeyPackage();
    } else if (op === DaveOp.proposals) {
      this.#commit(payload);
    } else if (op === DaveOp.announceCommit || op === DaveOp.welcome) {
      this.#advance(op, payload);
    }
  }

  #commit(payload: Buffer): void {
    const type = payload.readUInt8(0);
    if (type !== APPEND) throw new Error(`The group revoked proposals (${type}).`);
    const { commit, welcome } = this.#session.processProposals(type, payload.subarray(1), this.#knownUsers());
    if (!commit) return;
    this.#group.receiveCommit(this.userId, welcome ? Buffer.concat([commit, welcome]) : commit);
  }

  #advance(op: number, payload: Buffer): void {
    const id = payload.readUInt16BE(0);
    try {
      if (op === DaveOp.welcome) this.#session.processWelcome(payload.subarray(2));
      else this.#session.processCommit(payload.subarray(2));
    } catch {
      this.#group.receiveInvalid(this.userId);
      this.#startOver();
      return;
    }
    if (id !== 0) this.#group.receiveReady(this.userId, id);
  }

  #startOver(): void {
    this.#session.reinit(DAVE_VERSION, this.userId, this.#channelId);
    this.#sendKeyPackage();
  }

  #sendKeyPackage(): void {
    this.#group.receiveKeyPackage(this.userId, this.#session.getSerializedKeyPackage());
  }
}
