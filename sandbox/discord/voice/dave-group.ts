import { writeU16, writeVector } from "./bytes.ts";
import {
  type Change,
  type Commit,
  type ExternalSender,
  type KeyPackage,
  type Proposal,
  readCommit,
  readKeyPackage,
  readWelcome,
  writeWelcomeFor,
} from "./mls.ts";
import { DaveOp } from "./opcodes.ts";

/** Somebody in the call, as the delivery service reaches them. */
export interface DaveClient {
  readonly userId: string;
  sendJson(op: number, data: { [key: string]: unknown }): void;
  sendBinary(op: number, payload: Buffer): void;
}

export const DAVE_VERSION = 1;
/** How long Discord waits for everybody to be ready before it lets a transition happen all the same. */
const READY_MS = 2000;

/** `flagged` has thrown its group away and waits to be added anew, `gone` has left the call. */
type Leaf = { userId: string; state: "member" | "flagged" | "gone" };
type Transition = { id: number; waiting: Set<string>; timer: NodeJS.Timeout };

/**
 * The delivery service of DAVE v1 for one call: it proposes who joins and leaves the MLS group, picks the commit
 * that counts (that of whoever has been in the call longest) and tells everybody.
 * Messages that break the protocol throw.
 */
export class DaveGroup {
  readonly #groupId: bigint;
  readonly #sender: ExternalSender;
  readonly #spoilWelcome: () => boolean;
  readonly #clients = new Map<string, DaveClient>();
  readonly #pending = new Map<string, KeyPackage>();
  readonly #commits = new Map<string, Commit>();
  #proposals: Proposal[] = [];
  #recipients: string[] = [];
  /** Empty until the group is established. */
  #leaves: (Leaf | undefined)[] = [];
  #epoch = 0n;
  #transition: Transition | undefined;
  #lastTransition = 0;

  constructor(groupId: string, sender: ExternalSender, spoilWelcome: () => boolean) {
    this.#groupId = BigInt(groupId);
    this.#sender = sender;
    this.#spoilWelcome = spoilWelcome;
  }

  /** The group's epoch; 0 while there is no group. */
  get epoch(): bigint {
    return this.#epoch;
  }

  join(client: DaveClient): void {
    this.#clients.set(client.userId, client);
    client.sendBinary(DaveOp.externalSender, this.#sender.package);
  }

  leave(userId: string): void {
    this.#clients.delete(userId);
    this.#pending.delete(userId);
    for (const leaf of this.#leaves) if (leaf?.userId === userId) leaf.state = "gone";
    if (this.#leaves.length === 0 && this.#proposals.length > 0) this.#forgetProposals();
    this.#countReady(userId);
    this.#pickCommit();
    this.#proceed();
  }

  receiveKeyPackage(userId: string, payload: Buffer): void {
    if (!this.#clients.has(userId)) throw new Error("They are not in the call yet.");
    const keyPackage = readKeyPackage(payload);
    if (keyPackage.userId !== userId) throw new Error("The key package is somebody else's.");
    this.#pending.set(userId, keyPackage);
    this.#proceed();
  }

  /** Commits for an epoch that is over are dropped, as at Discord. */
  receiveCommit(userId: string, payload: Buffer): void {
    const commit = readCommit(payload);
    if (!this.#recipients.includes(userId) || commit.epoch !== this.#epoch) return;
    if (commit.groupId !== this.#groupId) throw new Error("The commit is for another group.");
    if (commit.leaf !== this.#leafOf(userId)) throw new Error("The commit is from another leaf.");
    const expected = this.#proposalsFor(userId).map(({ ref }) => ref);
    if (expected.toSorted().join() !== commit.refs.toSorted().join())
      throw new Error("The commit does not commit what was proposed.");
    this.#commits.set(userId, commit);
    this.#pickCommit();
  }

  receiveReady(userId: string, transitionId: number): void {
    if (this.#transition?.id === transitionId) this.#countReady(userId);
  }

  /** A member could not use a commit or welcome, and sends a new key package next. */
  receiveInvalid(userId: string): void {
    for (const leaf of this.#leaves) {
      if (leaf?.userId === userId && leaf.state === "member") leaf.state = "flagged";
    }
    this.#countReady(userId);
  }

  close(): void {
    clearTimeout(this.#transition?.timer);
    this.#transition = undefined;
    this.#clients.clear();
  }

  #leafOf(userId: string): number {
    if (this.#leaves.length === 0) return 0;
    return this.#leaves.findIndex((leaf) => leaf?.userId === userId && leaf.state === "member");
  }

  #membersOf(...states: Leaf["state"][]): Leaf[] {
    return this.#leaves.filter((leaf) => leaf !== undefined).filter(({ state }) => states.includes(state));
  }

  /** Proposes what is to change next, unless something is still under way. */
  #proceed(): void {
    if (this.#proposals.length > 0 || this.#transition) return;
    if (this.#leaves.length > 0 && this.#resetIfAlone()) return;
    const changes: Change[] = [];
    for (const [index, leaf] of this.#leaves.entries()) {
      const readded = leaf?.state === "flagged" && this.#pending.has(leaf.userId);
      if (leaf?.state === "gone" || readded) changes.push({ kind: "remove", leaf: index });
    }
    for (const keyPackage of this.#pending.values()) changes.push({ kind: "add", keyPackage });
    const isNew = this.#leaves.length === 0;
    if (changes.length < (isNew ? 2 : 1)) return;
    this.#proposals = changes.map((change) => this.#sender.propose(this.#groupId, this.#epoch, change));
    const members = new Set(this.#membersOf("member").map(({ userId }) => userId));
    this.#recipients = [...this.#clients.keys()].filter((id) =>
      isNew ? this.#pending.has(id) : members.has(id),
    );
    for (const id of this.#recipients) {
      const messages = this.#proposalsFor(id).map(({ message }) => message);
      const append = Buffer.from([0]);
      this.#clients.get(id)?.sendBinary(DaveOp.proposals, Buffer.concat([append, writeVector(...messages)]));
    }
  }

  /** What one member is to commit: everything but its own addition to a new group. */
  #proposalsFor(userId: string): Proposal[] {
    return this.#proposals.filter(
      ({ change }) =>
        change.kind === "remove" || change.keyPackage.userId !== userId || this.#leaves.length > 0,
    );
  }

  /** The last member of a group starts over with a group of its own. */
  #resetIfAlone(): boolean {
    const left = this.#membersOf("member", "flagged");
    const usable = this.#membersOf("member");
    if (left.length > 1 && usable.length > 0) return false;
    this.#leaves = [];
    this.#epoch = 0n;
    const alone = usable[0] && this.#clients.get(usable[0].userId);
    if (!alone) return false;
    alone.sendJson(DaveOp.prepareEpoch, { protocol_version: DAVE_VERSION, epoch: 1 });
    alone.sendJson(DaveOp.prepareTransition, { protocol_version: DAVE_VERSION, transition_id: 0 });
    return true;
  }

  #pickCommit(): void {
    const first = this.#recipients.find((id) => this.#clients.has(id));
    const commit = first === undefined ? undefined : this.#commits.get(first);
    if (first !== undefined && commit) this.#apply(first, commit);
  }

  #apply(committer: string, commit: Commit): void {
    const isNew = this.#leaves.length === 0;
    const members = isNew ? [committer] : this.#membersOf("member").map(({ userId }) => userId);
    if (isNew) this.#leaves = [{ userId: committer, state: "member" }];
    const changes = commit.refs.map((ref) => this.#proposals.find((each) => each.ref === ref)?.change);
    for (const change of changes) if (change?.kind === "remove") this.#leaves[change.leaf] = undefined;
    const added = changes.flatMap((change) => (change?.kind === "add" ? [change.keyPackage] : []));
    for (const { userId } of added) this.#addLeaf(userId);
    for (const { userId } of [...added, { userId: committer }]) this.#pending.delete(userId);
    this.#epoch += 1n;
    this.#forgetProposals();
    // A group that is only being formed is used at once, which its transition id says.
    const id = isNew ? 0 : this.#nextTransition();
    for (const userId of members) {
      const payload = Buffer.concat([writeU16(id), commit.message]);
      this.#clients.get(userId)?.sendBinary(DaveOp.announceCommit, payload);
    }
    if (added.length > 0) this.#welcome(added, commit, id);
    if (id === 0) this.#proceed();
    else this.#await(id);
  }

  #addLeaf(userId: string): void {
    const state = this.#clients.has(userId) ? "member" : "gone";
    const blank = this.#leaves.indexOf(undefined);
    this.#leaves[blank < 0 ? this.#leaves.length : blank] = { userId, state };
  }

  #welcome(added: KeyPackage[], commit: Commit, id: number): void {
    const welcome = readWelcome(commit.rest);
    for (const { userId, ref } of added) {
      const part = writeWelcomeFor(welcome, ref);
      if (!part) throw new Error(`The welcome leaves ${userId} out.`);
      if (this.#spoilWelcome()) part.writeUInt8(part.readUInt8(part.length - 1) ^ 0xff, part.length - 1);
      this.#clients.get(userId)?.sendBinary(DaveOp.welcome, Buffer.concat([writeU16(id), part]));
    }
  }

  #nextTransition(): number {
    this.#lastTransition = (this.#lastTransition % 0xffff) + 1;
    return this.#lastTransition;
  }

  #await(id: number): void {
    const waiting = new Set(this.#membersOf("member").map(({ userId }) => userId));
    const timer = setTimeout(() => this.#execute(), READY_MS).unref();
    this.#transition = { id, waiting, timer };
  }

  #countReady(userId: string): void {
    if (this.#transition?.waiting.delete(userId) && this.#transition.waiting.size === 0) this.#execute();
  }

  #execute(): void {
    const id = this.#transition?.id;
    clearTimeout(this.#transition?.timer);
    this.#transition = undefined;
    for (const { userId } of this.#membersOf("member"))
      this.#clients.get(userId)?.sendJson(DaveOp.executeTransition, { transition_id: id });
    this.#proceed();
  }

  #forgetProposals(): void {
    this.#proposals = [];
    this.#recipients = [];
    this.#commits.clear();
  }
}
