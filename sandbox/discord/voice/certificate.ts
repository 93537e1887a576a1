import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A key and a certificate in PEM, as `https.createServer` takes them. */
export type Certificate = { key: string; cert: string };

const Tag = { integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, time: 0x17, sequence: 0x30 };
const Oid = {
  ecdsaWithSha256: "2a8648ce3d040302",
  commonName: "550403",
  basicConstraints: "551d13",
  subjectAltName: "551d11",
};
const VALID_FROM = "240101000000Z";
const VALID_TO = "491231235959Z";

/** Makes a self-signed P-256 certificate for 127.0.0.1 and localhost, written in DER by hand (RFC 5280). */
export function makeCertificate(): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "der" },
  });
  const algorithm = sequence(oid(Oid.ecdsaWithSha256));
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)]);
  // A name of its own, for a process that trusts several looks them up by their names.
  const title = Buffer.from(`Voice stand-in ${serial.toString("hex")}`);
  const name = sequence(der(0x31, sequence(oid(Oid.commonName), der(Tag.utf8, title))));
  const hosts = sequence(der(0x87, Buffer.from([127, 0, 0, 1])), der(0x82, Buffer.from("localhost")));
  const authority = sequence(der(0x01, Buffer.from([0xff])));
  const extensions = sequence(
    sequence(oid(Oid.basicConstraints), der(Tag.octets, authority)),
    sequence(oid(Oid.subjectAltName), der(Tag.octets, hosts)),
  );
  const validity = [VALID_FROM, VALID_TO].map((time) => der(Tag.time, Buffer.from(time)));
  const unsigned = sequence(
    der(0xa0, der(Tag.integer, Buffer.from([2]))),
    der(Tag.integer, serial),
    algorithm,
    name,
    sequence(...validity),
    name,
    publicKey,
    der(0xa3, extensions),
  );
  const signature = sign("sha256", unsigned, createPrivateKey(privateKey));
  const signed = sequence(unsigned, algorithm, der(Tag.bits, Buffer.from([0]), signature));
  return { key: privateKey, cert: writePem(signed) };
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(Tag.sequence, ...parts);
}

function oid(hex: string): Buffer {
  return der(Tag.oid, Buffer.from(hex, "hex"));
}

function writePem(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
