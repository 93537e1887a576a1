import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { ByteReader, writeU16, writeU32, writeU64, writeVector } from "./bytes.ts";

/** What the delivery service of DAVE v1 reads and writes of MLS 1.0 (RFC 9420), cipher suite 2. */
const MLS_10 = 1;
const CIPHER_SUITE = 2;
const WireFormat = { publicMessage: 1 } as const;
const SenderType = { member: 1, external: 2 } as const;
const ContentType = { proposal: 2, commit: 3 } as const;
const ProposalType = { add: 1, remove: 3 } as const;
const LeafSource = { keyPackage: 1, update: 2, commit: 3 } as const;
const BASIC = 1;
const REFERENCE = 2;
const FOREVER = 2n ** 64n - 1n;

export type KeyPackage = { userId: string; ref: string; raw: Buffer };

/** Reads a key package and checks what Discord's gateway checks; throws when it would be refused. */
export function readKeyPackage(raw: Buffer): KeyPackage {
  const reader = new ByteReader(raw);
  if (reader.u16() !== MLS_10 || reader.u16() !== CIPHER_SUITE)
    throw new Error("The key package has another version or cipher suite.");
  reader.vector();
  const leaf = readLeaf(reader);
  reader.vector();
  const content = reader.since(0);
  const signature = reader.vector();
  if (!reader.isDone) throw new Error("Bytes follow the key package.");
  if (leaf.source !== LeafSource.keyPackage) throw new Error("The leaf is not one of a key package.");
  if (leaf.notBefore !== 0n || leaf.notAfter !== FOREVER) throw new Error("The key package has an end.");
  if (!verifyWithLabel(leaf.signatureKey, "KeyPackageTBS", content, signature))
    throw new Error("The key package is signed by somebody else.");
  if (leaf.identity.length !== 8) throw new Error("The credential is not a user id.");
  return {
    userId: leaf.identity.readBigUInt64BE().toString(),
    ref: hashRef("MLS 1.0 KeyPackage Reference", raw),
    raw,
  };
}

type Leaf = { signatureKey: Buffer; identity: Buffer; source: number; notBefore: bigint; notAfter: bigint };

function readLeaf(reader: ByteReader): Leaf {
  reader.vector();
  const signatureKey = reader.vector();
  if (reader.u16() !== BASIC) throw new Error("The credential is not a basic one.");
  const identity = reader.vector();
  for (let list = 0; list < 5; list += 1) reader.vector();
  const source = reader.u8();
  let [notBefore, notAfter] = [0n, 0n];
  if (source === LeafSource.keyPackage) [notBefore, notAfter] = [reader.u64(), reader.u64()];
  else if (source === LeafSource.commit) reader.vector();
  reader.vector();
  reader.vector();
  return { signatureKey, identity, source, notBefore, notAfter };
}

export type Commit = {
  message: Buffer;
  /** What follows the commit: a welcome, or nothing. */
  rest: Buffer;
  groupId: bigint;
  epoch: bigint;
  /** The committing member's leaf. */
  leaf: number;
  /** References to the proposals it commits, in order. */
  refs: string[];
};

/** Reads a commit, which must be public and hold references only; throws otherwise. */
export function readCommit(raw: Buffer): Commit {
  const reader = new ByteReader(raw);
  if (reader.u16() !== MLS_10 || reader.u16() !== WireFormat.publicMessage)
    throw new Error("The commit is not an MLS public message.");
  const groupId = new ByteReader(reader.vector()).u64();
  const epoch = reader.u64();
  if (reader.u8() !== SenderType.member) throw new Error("The commit is not from a member.");
  const leaf = reader.u32();
  reader.vector();
  if (reader.u8() !== ContentType.commit) throw new Error("The message is not a commit.");
  const proposals = new ByteReader(reader.vector());
  const refs: string[] = [];
  while (!proposals.isDone) {
    if (proposals.u8() !== REFERENCE) throw new Error("The commit carries a proposal of its own.");
    refs.push(proposals.vector().toString("hex"));
  }
  if (reader.u8() === 1) {
    readLeaf(reader);
    reader.vector();
  }
  // Signature, confirmation tag and membership tag.
  for (let field = 0; field < 3; field += 1) reader.vector();
  return { message: reader.since(0), rest: reader.rest(), groupId, epoch, leaf, refs };
}

/** A welcome's parts: each new member's secrets by the reference of their key package, and what is for all of them. */
export type Welcome = { secrets: Map<string, Buffer>; tail: Buffer };

export function readWelcome(raw: Buffer): Welcome {
  const reader = new ByteReader(raw);
  if (reader.u16() !== CIPHER_SUITE) throw new Error("The welcome has another cipher suite.");
  const list = new ByteReader(reader.vector());
  const secrets = new Map<string, Buffer>();
  while (!list.isDone) {
    const start = list.offset;
    const ref = list.vector().toString("hex");
    list.vector();
    list.vector();
    secrets.set(ref, list.since(start));
  }
  const start = reader.offset;
  reader.vector();
  if (!reader.isDone) throw new Error("Bytes follow the welcome.");
  return { secrets, tail: reader.since(start) };
}

/** The welcome for one member only, as Discord passes it on. */
export function writeWelcomeFor({ secrets, tail }: Welcome, ref: string): Buffer | undefined {
  const secret = secrets.get(ref);
  return secret && Buffer.concat([writeU16(CIPHER_SUITE), writeVector(secret), tail]);
}

export type Change = { kind: "add"; keyPackage: KeyPackage } | { kind: "remove"; leaf: number };
export type Proposal = { change: Change; message: Buffer; ref: string };

/** The voice gateway as MLS external sender: only it proposes who joins and leaves a group. */
export class ExternalSender {
  readonly #privateKey: KeyObject;
  /** The payload of opcode 25. */
  readonly package: Buffer;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#privateKey = privateKey;
    const { x = "", y = "" } = publicKey.export({ format: "jwk" });
    const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
    this.package = Buffer.concat([
      writeVector(point),
      writeU16(BASIC),
      writeVector(Buffer.from("voice gateway")),
    ]);
  }

  propose(groupId: bigint, epoch: bigint, change: Change): Proposal {
    const content = Buffer.concat([
      writeU16(WireFormat.publicMessage),
      writeVector(writeU64(groupId)),
      writeU64(epoch),
      Buffer.from([SenderType.external]),
      writeU32(0),
      writeVector(),
      Buffer.from([ContentType.proposal]),
      change.kind === "add"
        ? Buffer.concat([writeU16(ProposalType.add), change.keyPackage.raw])
        : Buffer.concat([writeU16(ProposalType.remove), writeU32(change.leaf)]),
    ]);
    const version = writeU16(MLS_10);
    const signed = signContent("FramedContentTBS", Buffer.concat([version, content]));
    const authenticated = Buffer.concat([content, writeVector(sign("sha256", signed, this.#privateKey))]);
    const ref = hashRef("MLS 1.0 Proposal Reference", authenticated);
    return { change, message: Buffer.concat([version, authenticated]), ref };
  }
}

function signContent(label: string, content: Buffer): Buffer {
  return Buffer.concat([writeVector(Buffer.from(`MLS 1.0 ${label}`)), writeVector(content)]);
}

function verifyWithLabel(point: Buffer, label: string, content: Buffer, signature: Buffer): boolean {
  if (point.length !== 65 || point[0] !== 4) return false;
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
  const key = { kty: "EC", crv: "P-256", x, y } as JsonWebKey;
  return verify("sha256", signContent(label, content), createPublicKey({ key, format: "jwk" }), signature);
}

function hashRef(label: string, value: Buffer): string {
  const input = Buffer.concat([writeVector(Buffer.from(label)), writeVector(value)]);
  return createHash("sha256").update(input).digest("hex");
}
