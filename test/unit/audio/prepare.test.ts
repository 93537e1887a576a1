import {
  ALL_FORMATS,
  BufferSource,
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacketSink,
  Input,
  MkvOutputFormat,
  Mp4OutputFormat,
  OggOutputFormat,
  Output,
  type OutputFormat,
} from "mediabunny";
import { afterAll, describe, expect, test } from "vitest";
import { SamplePreparer } from "../../../src/audio/prepare.ts";
import type { PreparedSample } from "../../../src/audio/sample.ts";
import { WavReader } from "../../../src/audio/wav.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import type { Frame } from "../../../src/audio/sample-levels.ts";
import {
  atLevel,
  framesOf,
  join,
  noise,
  RATE,
  readFixture,
  silence,
  speech,
  turnUp,
  wavOf,
} from "./sounds.ts";

const never = new AbortController().signal;
const preparer = new SamplePreparer();
afterAll(() => preparer[Symbol.asyncDispose]());

const prepare = (bytes: Uint8Array) => preparer.prepare(bytes, never);

/** A sample that is a WAV, as numbers. */
function read({ bytes }: PreparedSample) {
  const reader = new WavReader({ maxBytes: 4_500_000 });
  reader.push(bytes);
  const { channels, sampleRate, dataOffset, dataBytes, durationSeconds } = reader.finish();
  const view = new DataView(bytes.buffer, bytes.byteOffset + dataOffset, dataBytes);
  const sound = Float32Array.from(
    { length: dataBytes / 2 },
    (_, index) => view.getInt16(index * 2, true) / 32_768,
  );
  return { channels, sampleRate, durationSeconds, sound };
}

/** How far apart two sounds are on average where the first is loud, dB; one may begin some frames before the other. */
function distance(one: readonly Frame[], other: readonly Frame[]): number {
  const apart = (shift: number) => {
    const loud = [...one.entries()].filter(([at, { dbfs }]) => dbfs > -30 && other[at + shift]);
    const sum = loud.reduce(
      (all, [at, { dbfs }]) => all + Math.abs(dbfs - (other[at + shift]?.dbfs ?? 0)),
      0,
    );
    return sum / loud.length;
  };
  return Math.min(...[-4, -3, -2, -1, 0, 1, 2, 3, 4].map(apart));
}

/** The sound of a fixture so many times in a new file. */
async function repeatPackets(
  name: string,
  times: number,
  format: OutputFormat,
  change: Partial<AudioDecoderConfig> = {},
): Promise<Uint8Array> {
  using input = new Input({ source: new BufferSource(readFixture(name)), formats: ALL_FORMATS });
  const track = await input.getPrimaryAudioTrack();
  const codec = await track?.getCodec();
  const decoderConfig = await track?.getDecoderConfig();
  if (!track || !codec || !decoderConfig) throw new Error(`${name} has no sound`);
  const target = new BufferTarget();
  const output = new Output({ format, target });
  const source = new EncodedAudioPacketSource(codec);
  output.addAudioTrack(source);
  await output.start();
  let timestamp = 0;
  for (let left = times; left > 0; left -= 1)
    for await (const packet of new EncodedPacketSink(track).packets()) {
      await source.add(packet.clone({ timestamp }), { decoderConfig: { ...decoderConfig, ...change } });
      timestamp += packet.duration;
    }
  await output.finalize();
  return new Uint8Array(target.buffer ?? []);
}

describe("what the API takes goes through byte by byte", () => {
  test.each([
    ["six-8k.wav", "wav", "WAV", 6],
    ["six-cbr.mp3", "mp3", "MP3", 6.08],
    ["six-vbr-no-xing.mp3", "mp3", "MP3", 6.08],
    ["six-aac.m4a", "m4a", "M4A", 6],
    ["six-alac.m4a", "m4a", "M4A", 6],
  ])("%s", async (name, container, sourceName, seconds) => {
    const bytes = readFixture(name);
    const { bytes: after, durationSeconds, ...rest } = await prepare(bytes);
    expect(after).toBe(bytes);
    expect(rest).toEqual({ container, sourceName, converted: false });
    expect(durationSeconds).toBeCloseTo(seconds, 1);
  });
});

test("an M4A that no decoder here knows goes through too", async () => {
  // The first bits of the description (ISO/IEC 14496-3) say 42, extended HE-AAC.
  const change = { description: new Uint8Array([0xf9, 0x50, 0x20]) };
  const bytes = await repeatPackets("six-aac.m4a", 1, new Mp4OutputFormat(), change);
  expect(await prepare(bytes)).toMatchObject({ container: "m4a", converted: false });
});

describe("what can be read is converted to WAV", () => {
  test.each([
    ["six-opus.ogg", "Ogg Opus", 24_000],
    ["six-opus.webm", "WebM Opus", 24_000],
    ["six-vorbis.ogg", "Ogg Vorbis", 16_000],
    ["six-8k.flac", "FLAC", 8_000],
    ["six-adts.aac", "AAC", 16_000],
    ["video.mp4", "MP4 video", 16_000],
  ])("%s", async (name, sourceName, sampleRate) => {
    const sample = await prepare(readFixture(name));
    expect(sample).toMatchObject({ container: "wav", sourceName, converted: true });
    expect(sample).not.toHaveProperty("window");
    const wav = read(sample);
    expect(wav).toMatchObject({ channels: 1, sampleRate, durationSeconds: sample.durationSeconds });
    expect(wav.durationSeconds).toBeGreaterThan(5.9);
    expect(wav.durationSeconds).toBeLessThan(6.3);
    expect(distance(framesOf(speech(6)), framesOf(wav.sound, sampleRate))).toBeLessThan(1.5);
  });

  test("an M4A that holds something else than is usual", async () => {
    const bytes = await repeatPackets("six-opus.ogg", 1, new Mp4OutputFormat());
    expect(await prepare(bytes)).toMatchObject({ container: "wav", sourceName: "M4A Opus", converted: true });
  });

  test("what is too many bytes", async () => {
    const sample = await prepare(wavOf(speech(84), { rate: 48_000, encoding: "f32" }));
    expect(sample).toMatchObject({ container: "wav", sourceName: "WAV", converted: true });
    expect(sample).not.toHaveProperty("window");
    const { sound, ...wav } = read(sample);
    expect(wav).toEqual({ channels: 1, sampleRate: 24_000, durationSeconds: 28 });
    expect(distance(framesOf(speech(84), 48_000), framesOf(sound, 24_000))).toBeLessThan(1);
  });

  test.each<[string, (sound: Float32Array) => Float32Array[]]>([
    ["of which one is silent", (sound) => [sound, silence(32)]],
    ["of which one is upside down", (sound) => [sound, sound.map((sample) => -sample)]],
    ["of which there are six", (sound) => Array.from({ length: 6 }, () => sound)],
  ])("channels %s", async (_name, channels) => {
    const sound = speech(32);
    const sample = await prepare(wavOf(sound, { channels: channels(sound) }));
    const { from, to } = { from: sample.window?.fromSeconds ?? 0, to: sample.window?.toSeconds ?? 32 };
    const taken = sound.subarray(from * RATE, to * RATE);
    const half = taken.map((sample_) => sample_ / 2);
    const is = framesOf(read(sample).sound);
    expect(Math.min(distance(framesOf(taken), is), distance(framesOf(half), is))).toBeLessThan(0.5);
  });
});

describe("of a longer recording", () => {
  const recording = join(atLevel(noise(30), -55), speech(21), atLevel(noise(30), -55));

  test.each<[string, () => Promise<Uint8Array>]>([
    ["WAV", async () => wavOf(recording)],
    ["MP3", async () => Buffer.concat(Array.from({ length: 6 }, () => readFixture("six-cbr.mp3")))],
    ["M4A", () => repeatPackets("six-aac.m4a", 7, new Mp4OutputFormat())],
    ["Ogg Opus", () => repeatPackets("six-opus.ogg", 7, new OggOutputFormat())],
    ["Matroska", () => repeatPackets("six-adts.aac", 7, new MkvOutputFormat())],
  ])("(%s) the best part is taken", async (sourceName, makeBytes) => {
    const sample = await prepare(await makeBytes());
    expect(sample).toMatchObject({ container: "wav", sourceName, converted: true });
    const { fromSeconds = 0, toSeconds = 0, ofSeconds = 0 } = sample.window ?? {};
    expect(ofSeconds).toBeGreaterThan(36);
    expect(toSeconds).toBeLessThanOrEqual(ofSeconds);
    expect(toSeconds - fromSeconds).toBeCloseTo(sample.durationSeconds, 2);
    expect(sample.durationSeconds).toBeGreaterThan(20);
    expect(sample.durationSeconds).toBeLessThanOrEqual(30);
    expect(read(sample).durationSeconds).toBe(sample.durationSeconds);
  });

  test("its place is told", async () => {
    const { window, bytes } = await prepare(wavOf(recording));
    expect(window?.ofSeconds).toBe(81);
    expect(window?.fromSeconds).toBeGreaterThan(29.5);
    expect(window?.toSeconds).toBeLessThan(51.5);
    expect(bytes.byteLength).toBeLessThan(1_000_000);
  });

  test("up to ten minutes are looked through", async () => {
    const tenMinutes = join(silence(580), speech(20));
    const { window } = await prepare(wavOf(tenMinutes));
    expect(window?.fromSeconds).toBeGreaterThan(579);
    expect(window?.ofSeconds).toBe(600);
  });
});

describe("what is of no use is refused with the reason", () => {
  const patched = (name: string, at: number, ...bytes: number[]) => {
    const copy = new Uint8Array(readFixture(name));
    copy.set(bytes, at);
    return copy;
  };

  test.each<[string, Uint8Array, ErrorCode]>([
    ["no bytes", new Uint8Array(0), "sample_unreadable"],
    ["text", Buffer.from("Call me Ishmael. ".repeat(200)), "sample_unreadable"],
    [
      "a playlist",
      Buffer.from("#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
      "sample_unreadable",
    ],
    ["an M4A without audio", readFixture("no-audio.m4a"), "sample_unreadable"],
    ["a WAV with 0 channels", patched("six-8k.wav", 22, 0, 0), "sample_unreadable"],
    ["a WAV with 0 Hz", patched("six-8k.wav", 24, 0, 0, 0, 0), "sample_unreadable"],
    ["a WAV with 4 GHz", patched("six-8k.wav", 24, 255, 255, 255, 255), "sample_unreadable"],
    ["a WAV with blocks of 0 bytes", patched("six-8k.wav", 32, 0, 0), "sample_unreadable"],
    ["half an Ogg", readFixture("damaged-half.ogg"), "sample_unreadable"],
    ["a FLAC with nothing but a header", readFixture("damaged-header-only.flac"), "sample_unreadable"],
    ["an M4A cut before its moov", readFixture("damaged-no-moov.m4a"), "sample_unreadable"],
    ["half an MP3", readFixture("damaged-half.mp3"), "sample_too_short"],
    ["4.9 seconds", wavOf(speech(4.9)), "sample_too_short"],
    ["over ten minutes", wavOf(speech(602), { rate: RATE }), "sample_too_long"],
    ["silence", wavOf(silence(8)), "sample_silent"],
    ["a long silence", wavOf(silence(80)), "sample_silent"],
    ["distortion", wavOf(turnUp(speech(8), 40)), "sample_clipped"],
    ["noise", wavOf(atLevel(noise(8), -20)), "sample_noise"],
  ])("%s", async (_name, bytes, code) => {
    await expect(prepare(bytes)).rejects.toMatchObject({ name: "UserError", code });
  });

  test("the length of one that is too short is rounded away from what is needed", async () => {
    await expect(prepare(wavOf(speech(4.99)))).rejects.toThrow(/is 4\.9 seconds long/);
  });

  test("an M4A whose packets hold no AAC", async () => {
    const bytes = new Uint8Array(readFixture("six-aac.m4a"));
    bytes.fill(0xa5, bytes.length - 20_000);
    await expect(prepare(bytes)).rejects.toMatchObject({ code: "sample_unreadable" });
  });

  test("a codec for which there is no decoder, and what there is", async () => {
    const long = new Uint8Array(readFixture("six-alac.m4a"));
    const bytes = Buffer.concat([long, Buffer.alloc(4_500_000)]);
    await expect(prepare(bytes)).rejects.toThrow(/is M4A with alac.*as WAV or MP3/);
  });

  test("an M4A that keeps the parser for ever", async () => {
    const reading = prepare(readFixture("damaged-moov-endless.m4a"));
    await expect(reading).rejects.toMatchObject({
      code: expect.stringMatching(/^sample_(too_slow|unreadable)$/),
    });
  });
});

test("the caller keeps its bytes", async () => {
  const bytes = Buffer.from(wavOf(speech(8)));
  const copy = Buffer.from(bytes);
  await prepare(bytes);
  expect(bytes.equals(copy)).toBe(true);
});
