import { createDecipheriv } from "node:crypto";

export const TRANSPORT_MODE = "aead_aes256_gcm_rtpsize";
export const SAMPLES_PER_FRAME = 960;

const HEADER = 12;
const TAG = 16;
const NONCE = 4;
const VERSION_2 = 0x80;
const OPUS = 0x78;
const DISCOVERY = { size: 74, length: 70, request: 1, response: 2 } as const;

export type RtpPacket = { ssrc: number; sequence: number; timestamp: number; payload: Buffer };

/** The ssrc of an RTP datagram that carries Opus; undefined for anything else. */
export function readSsrc(datagram: Buffer): number | undefined {
  if (datagram.length <= HEADER + TAG + NONCE) return undefined;
  return datagram[0] === VERSION_2 && datagram[1] === OPUS ? datagram.readUInt32BE(8) : undefined;
}

/** Takes the transport encryption off; undefined when the datagram was not made with this key. */
export function openPacket(datagram: Buffer, key: Buffer): RtpPacket | undefined {
  const header = datagram.subarray(0, HEADER);
  const end = datagram.length - NONCE;
  const nonce = Buffer.concat([datagram.subarray(end), Buffer.alloc(8)]);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG });
  decipher.setAAD(header);
  decipher.setAuthTag(datagram.subarray(end - TAG, end));
  try {
    const payload = Buffer.concat([decipher.update(datagram.subarray(HEADER, end - TAG)), decipher.final()]);
    const [sequence, timestamp] = [header.readUInt16BE(2), header.readUInt32BE(4)];
    return { ssrc: header.readUInt32BE(8), sequence, timestamp, payload };
  } catch {
    return undefined;
  }
}

/** The ssrc that asks under which address it is seen; undefined when a datagram asks nothing. */
export function readDiscovery(datagram: Buffer): number | undefined {
  if (datagram.length !== DISCOVERY.size) return undefined;
  const asks =
    datagram.readUInt16BE(0) === DISCOVERY.request && datagram.readUInt16BE(2) === DISCOVERY.length;
  return asks ? datagram.readUInt32BE(4) : undefined;
}

export function writeDiscovery(ssrc: number, address: string, port: number): Buffer {
  const answer = Buffer.alloc(DISCOVERY.size);
  answer.writeUInt16BE(DISCOVERY.response, 0);
  answer.writeUInt16BE(DISCOVERY.length, 2);
  answer.writeUInt32BE(ssrc, 4);
  answer.write(address, 8, "utf8");
  answer.writeUInt16BE(port, DISCOVERY.size - 2);
  return answer;
}
