import * as fc from "fast-check";
import { expect, test } from "vitest";
import { OggOpusWriter } from "../../../src/audio/ogg-opus.ts";
import { Resampler } from "../../../src/audio/resampler.ts";
import { SpeechOpusEncoder } from "../../../src/audio/speech-opus.ts";
import { decodeOpus, join, speechAt } from "../../support/speech.ts";
import { readOgg } from "./ogg.ts";

const speech = await speechAt(22_050, 2.5);
const anyCuts = fc.array(fc.integer({ min: 0, max: speech.length }), { maxLength: 8 });

function cut(samples: Int16Array, at: readonly number[]): Int16Array[] {
  const ends = [...at.toSorted((a, b) => a - b), samples.length];
  return ends.map((end, index) => samples.subarray(ends[index - 1] ?? 0, end));
}

async function encode(pieces: readonly Int16Array[], volume = 1): Promise<Uint8Array[]> {
  using encoder = await SpeechOpusEncoder.open({ sampleRate: 22_050, bitrate: 32_000 });
  encoder.volume = volume;
  return [...pieces.flatMap((piece) => encoder.push(piece)), ...encoder.finish()];
}

test("the sound of a resampler does not depend on its pieces and is as long as it should be", async () => {
  await fc.assert(
    fc.asyncProperty(anyCuts, fc.constantFrom(8_000, 24_000, 44_100), async (at, to) => {
      const convert = async (pieces: readonly Int16Array[]) => {
        using resampler = await Resampler.open(22_050, to);
        return join([...pieces.map((piece) => resampler.push(piece)), resampler.finish()]);
      };
      const converted = await convert(cut(speech, at));
      expect(converted.length).toBe(Math.ceil((speech.length * to) / 22_050));
      expect(converted).toEqual(await convert([speech]));
    }),
    { numRuns: 20 },
  );
});

test("packets come while the sound still does, and are the same whatever the pieces", async () => {
  const whole = await encode([speech]);
  await fc.assert(
    fc.asyncProperty(anyCuts, async (at) => {
      expect(await encode(cut(speech, at))).toEqual(whole);
    }),
    { numRuns: 10 },
  );
  using encoder = await SpeechOpusEncoder.open({ sampleRate: 22_050, bitrate: 32_000 });
  expect(encoder.push(speech.subarray(0, 22_050)).length).toBeGreaterThanOrEqual(49);
});

test("volume is a factor, and a sound made too loud is clipped", async () => {
  const loudness = async (volume: number) => {
    const heard = await decodeOpus(await encode([speech], volume));
    return Math.sqrt(heard.reduce((sum, sample) => sum + sample * sample, 0) / heard.length);
  };
  const usual = await loudness(1);
  expect((await loudness(0.5)) / usual).toBeCloseTo(0.5, 1);
  expect(await loudness(0)).toBeLessThan(2);
  // Samples that wrapped around would be noise as loud as can be.
  const loud = await loudness(30);
  expect(loud / usual).toBeGreaterThan(4);
  expect(loud).toBeLessThan(32_768);
});

test("encoders are given back: more of them than fit into memory at once", async () => {
  for (let count = 0; count < 300; count += 1) {
    using encoder = await SpeechOpusEncoder.open({ sampleRate: 22_050, bitrate: 16_000 });
    encoder.push(speech.subarray(0, 1_000));
  }
});

test.each([12_000, 16_000, 32_000])(
  "at %i bit/s no sound takes more than that and a second's worth",
  async (bitrate) => {
    for (const sound of [await speechAt(22_050, 40), musicOf(22_050 * 40)]) {
      using encoder = await SpeechOpusEncoder.open({ sampleRate: 22_050, bitrate });
      const packets = [...encoder.push(sound), ...encoder.finish()];
      const bytes = packets.reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(bytes).toBeLessThanOrEqual((packets.length / 50 + 1) * (bitrate / 8));
      expect(bytes).toBeGreaterThan((packets.length / 50) * (bitrate / 8) * 0.9);
    }
  },
);

test("Ogg pages are whole for packets of any size and any number", () => {
  const large = Array.from({ length: 120 }, () => new Uint8Array(1_275));
  const anyPackets = fc.array(fc.uint8Array({ minLength: 1, maxLength: 1_275 }), {
    minLength: 1,
    maxLength: 260,
  });
  fc.assert(
    fc.property(anyPackets, fc.integer({ min: 0, max: 959 }), (packets, unplayed) => {
      fc.pre(packets.length > 1);
      const ogg = new OggOpusWriter();
      const pages = [ogg.head(22_050), ...packets.flatMap((packet) => ogg.push(packet) ?? [])];
      const ticks = packets.length * 960 - 312 - unplayed;
      const read = readOgg(Buffer.concat([...pages, ogg.finish(ticks)]));
      expect(read.packets.map((packet) => [...packet])).toEqual(packets.map((packet) => [...packet]));
      expect(read.ticks).toBe(ticks);
      expect(read.tags).toContain("ENCODER=Mynah");
    }),
    { numRuns: 30, examples: [[large, 0]] },
  );
});

/** Chords and a siren, which cost Opus more than speech does. */
function musicOf(samples: number): Int16Array {
  const tone = (at: number, hz: number) => Math.sin((2 * Math.PI * hz * at) / 22_050);
  return new Int16Array(samples).map((_, at) => {
    const siren = tone(at, 1_000 + 20 * Math.sin(at / 3_000));
    return 8_000 * (tone(at, 440 * (1 + Math.floor(at / 5_000) / 12)) + tone(at, 660) + siren);
  });
}
