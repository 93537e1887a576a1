import { DAVESession } from "@snazzah/davey";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DAVE_VERSION, type DaveClient, DaveGroup } from "../../sandbox/discord/voice/dave-group.ts";
import {
  ExternalSender,
  readCommit,
  readKeyPackage,
  readWelcome,
  writeWelcomeFor,
} from "../../sandbox/discord/voice/mls.ts";
import { DaveOp } from "../../sandbox/discord/voice/opcodes.ts";

const CHANNEL = "1090123456789012345";

/** Somebody in the call who does only what the test does. */
class Client implements DaveClient {
  readonly userId: string;
  readonly session: DAVESession;
  readonly received: { op: number; payload: Buffer }[] = [];
  readonly told: { op: number; data: { [key: string]: unknown } }[] = [];

  constructor(userId: string) {
    this.userId = userId;
    this.session = new DAVESession(DAVE_VERSION, userId, CHANNEL);
  }

  sendJson(op: number, data: { [key: string]: unknown }): void {
    this.told.push({ op, data });
  }

  sendBinary(op: number, payload: Buffer): void {
    this.received.push({ op, payload });
    if (op === DaveOp.externalSender) this.session.setExternalSender(payload);
  }

  /** The payload of the last message with that opcode. */
  last(op: number): Buffer {
    const found = this.received.findLast((message) => message.op === op);
    if (!found) throw new Error(`${this.userId} received no ${op}.`);
    return found.payload;
  }

  /** Commits what was proposed last; the payload of opcode 28. */
  commit(...known: string[]): Buffer {
    const { commit, welcome } = this.session.processProposals(
      0,
      this.last(DaveOp.proposals).subarray(1),
      known,
    );
    return Buffer.concat([commit, welcome].filter((part) => part !== undefined));
  }
}

function openGroup(): DaveGroup {
  return new DaveGroup(CHANNEL, new ExternalSender(), () => false);
}

function enter(group: DaveGroup, userId: string): Client {
  const client = new Client(userId);
  group.join(client);
  group.receiveKeyPackage(userId, client.session.getSerializedKeyPackage());
  return client;
}

/** A group of two, made by the first. */
function openPair(): { group: DaveGroup; ada: Client; bea: Client } {
  const group = openGroup();
  const [ada, bea] = [enter(group, "1"), enter(group, "2")];
  group.receiveCommit("1", ada.commit("2"));
  ada.session.processCommit(ada.last(DaveOp.announceCommit).subarray(2));
  bea.session.processWelcome(bea.last(DaveOp.welcome).subarray(2));
  return { group, ada, bea };
}

afterEach(() => void vi.useRealTimers());

describe("the delivery service of DAVE", () => {
  it("refuses key packages that are broken, somebody else's or too early", () => {
    const group = openGroup();
    const ada = new Client("1");
    const good = ada.session.getSerializedKeyPackage();
    expect(() => group.receiveKeyPackage("1", good)).toThrow(/not in the call/);
    group.join(ada);
    group.join(new Client("2"));
    expect(() => group.receiveKeyPackage("2", good)).toThrow(/somebody else's/);
    expect(() => group.receiveKeyPackage("1", good.subarray(1))).toThrow();
    for (const at of [10, good.length - 1]) {
      const bad = Buffer.from(good);
      bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
      expect(() => group.receiveKeyPackage("1", bad)).toThrow();
    }
  });

  it("takes the commit of whoever came first, and drops what comes late", () => {
    const group = openGroup();
    const [ada, bea] = [enter(group, "1"), enter(group, "2")];
    const [first, second] = [ada.commit("2"), bea.commit("1")];
    group.receiveCommit("2", second);
    expect(group.epoch).toBe(0n);
    group.receiveCommit("1", first);
    expect(group.epoch).toBe(1n);
    expect(ada.last(DaveOp.announceCommit).subarray(2)).toEqual(readCommit(first).message);
    expect(bea.received.some(({ op }) => op === DaveOp.announceCommit)).toBe(false);
    group.receiveCommit("2", second);
    expect(group.epoch).toBe(1n);
  });

  it("refuses a commit that leaves out what was proposed", () => {
    const { group, ada, bea } = openPair();
    const old = ada.session.epoch;
    enter(group, "3");
    bea.commit("1", "3");
    const early = readCommit(ada.commit("2", "3"));
    expect(old).toBe(1n);
    const refs = Buffer.from(early.refs[0] ?? "", "hex");
    const forged = Buffer.from(early.message);
    const at = forged.indexOf(refs);
    forged.writeUInt8(forged.readUInt8(at) ^ 1, at);
    expect(() => group.receiveCommit("1", forged)).toThrow(/what was proposed/);
    expect(() => group.receiveCommit("2", early.message)).toThrow(/another leaf/);
  });

  it("passes on to each new member only their own secrets", () => {
    const group = openGroup();
    const ada = enter(group, "1");
    const others = ["2", "3"].map((id) => new Client(id));
    for (const client of others) group.join(client);
    const [bea, cleo] = others;
    if (!bea || !cleo) throw new Error("There are two.");
    group.receiveKeyPackage("2", bea.session.getSerializedKeyPackage());
    group.receiveCommit("1", ada.commit("2"));
    const welcome = readWelcome(bea.last(DaveOp.welcome).subarray(2));
    expect(welcome.secrets.size).toBe(1);
    const stranger = readKeyPackage(cleo.session.getSerializedKeyPackage());
    expect(writeWelcomeFor(welcome, stranger.ref)).toBeUndefined();
  });

  it("lets a transition happen when everybody is ready, or when one never is", () => {
    vi.useFakeTimers();
    const { group, ada, bea } = openPair();
    const cleo = enter(group, "3");
    group.receiveCommit("1", ada.commit("2", "3"));
    const id = ada.last(DaveOp.announceCommit).readUInt16BE(0);
    expect(id).toBeGreaterThan(0);
    group.receiveReady("1", id);
    group.receiveReady("2", id);
    expect(bea.told).toEqual([]);
    group.receiveReady("3", id);
    const executed = { op: DaveOp.executeTransition, data: { transition_id: id } };
    for (const client of [ada, bea, cleo]) expect(client.told).toEqual([executed]);
    ada.session.processCommit(ada.last(DaveOp.announceCommit).subarray(2));
    group.leave("3");
    group.receiveCommit("1", ada.commit("2"));
    vi.advanceTimersByTime(2000);
    expect(ada.told.at(-1)).toEqual({ op: DaveOp.executeTransition, data: { transition_id: id + 1 } });
  });

  it("starts over for the last one there", () => {
    const { group, bea } = openPair();
    group.leave("1");
    expect(bea.told.map(({ op }) => op)).toEqual([DaveOp.prepareEpoch, DaveOp.prepareTransition]);
    expect(group.epoch).toBe(0n);
  });
});
